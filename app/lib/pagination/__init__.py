"""Lists: one envelope, by page or by keyset cursor, with declared filters and sort keys.

A repository declares a ``ListQuery`` once and calls ``paginate``; a controller takes a ``PageRequest``.
"""
