"""Channels over sockets: ordered, resumable, with presence, on any number of workers.

The log in the database is the truth, and what workers tell each other are only hints that make it fast: see
:mod:`.hub`. Nothing here knows what a channel is about; a domain gives a :class:`.gate.Gate` that says who may.
"""
