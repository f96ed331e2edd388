"""Writes domains in the grammar of the house, and takes them away. For checkouts, not for installed services."""
