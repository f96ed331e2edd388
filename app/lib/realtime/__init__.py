"""Channels over sockets: ordered, resumable, with presence, on any number of workers.

The log in the database is the truth; hints between processes only save time: see :mod:`.hub`. Domains declare what
their channels are about as a :class:`.channels.ChannelKind`.
"""
