"""The Lodestar API: ``client`` signs in, ``generated`` has the operations and their types.

``realtime`` has the sockets.
"""
