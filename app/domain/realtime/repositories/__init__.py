"""Every statement about rooms and tickets. ``…Reads`` read without a transaction, the others write in one."""
