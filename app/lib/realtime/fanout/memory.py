"""For one process: Litestar's own backend, in which a process only hears itself."""

from litestar.channels.backends.memory import MemoryChannelsBackend

from app.lib.realtime.fanout.base import Fanout


class MemoryFanout(MemoryChannelsBackend, Fanout):
    """One queue in memory."""

    max_message = 1 << 20

    def __init__(self) -> None:
        super().__init__(history=0)

    @property
    def is_connected(self) -> bool:
        """There is nothing to be cut off from."""
        return True

    async def get_history(self, channel: str, limit: int | None = None) -> list[bytes]:
        """Always empty: the log in the database is the history."""
        return []
