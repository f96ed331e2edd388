"""Every statement about products and their stock. Prepared selects are for the Reader, ``…Repository`` writes."""
