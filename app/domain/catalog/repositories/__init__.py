"""Every statement about products and their stock. ``…Reads`` read without a transaction, ``…Repository`` in one."""
