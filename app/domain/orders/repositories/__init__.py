"""Every statement about orders. ``…Reads`` read without a transaction, ``…Repository`` write in one."""
