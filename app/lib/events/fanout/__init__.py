"""How processes send each other hints, which may be lost, doubled or late."""

from app.lib.events.fanout.base import Fanout, MemoryFanout, SilentFanout
from app.lib.events.fanout.postgres import PostgreSQLFanout
from app.lib.events.fanout.redis import RedisFanout

__all__ = ["Fanout", "MemoryFanout", "PostgreSQLFanout", "RedisFanout", "SilentFanout"]
