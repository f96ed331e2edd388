"""How workers tell each other of news: hints, which may be lost, doubled or late."""

from app.lib.realtime.fanout.base import RESYNC, Fanout
from app.lib.realtime.fanout.memory import MemoryFanout
from app.lib.realtime.fanout.postgres import PostgreSQLFanout
from app.lib.realtime.fanout.redis import RedisFanout
from app.lib.realtime.fanout.silent import SilentFanout

__all__ = ["RESYNC", "Fanout", "MemoryFanout", "PostgreSQLFanout", "RedisFanout", "SilentFanout"]
