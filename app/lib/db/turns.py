"""Turns at what many write at the same time: those who have to wait do so in memory, without a connection."""

import asyncio
from collections.abc import Collection, Hashable, Iterable

from app.lib.db.faults import DatabaseUnavailable

AT_A_TIME = 2
"""Transactions of a process with the same key: one that writes, and one that is there when it ends."""

PATIENCE = 5.0
"""Seconds that a unit of work waits for its turns, all together."""


class NotYourTurn(Exception):
    """Others have their turn. Raised before anything was written about these keys; wait, and begin again."""

    def __init__(self, keys: Collection[Hashable]) -> None:
        super().__init__()
        self.keys = keys


class Turns:
    """Who may write what, by keys such as a product's id. Of this process only: a database has few processes."""

    def __init__(self) -> None:
        self._taken: dict[Hashable, int] = {}
        self._waiting: dict[asyncio.Future[None], Collection[Hashable]] = {}

    def take(self, keys: Collection[Hashable]) -> bool:
        """Takes a turn at each of the keys, or at none."""
        taken = self._taken
        for key in keys:
            if taken.get(key, 0) >= AT_A_TIME:
                return False
        for key in keys:
            taken[key] = taken.get(key, 0) + 1
        return True

    def give_back(self, keys: Iterable[Hashable]) -> None:
        """Ends turns, and begins those of the first who wait for them."""
        for key in keys:
            count = self._taken.pop(key) - 1
            if count:
                self._taken[key] = count
        for waiter, wanted in self._waiting.items():
            if not waiter.done() and self.take(wanted):
                waiter.set_result(None)

    async def wait(self, keys: Collection[Hashable], seconds: float) -> None:
        """Takes a turn at each of the keys when all are free, and holds none until then, so that no two wait for each
        other. Raises ``DatabaseUnavailable`` after the time.
        """
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[waiter] = keys
        try:
            async with asyncio.timeout(seconds):
                await waiter
        except BaseException as exc:
            if waiter.done() and not waiter.cancelled():  # it came at the very moment of the timeout or cancellation
                self.give_back(keys)
            if isinstance(exc, TimeoutError):
                raise DatabaseUnavailable("Too many requests write the same thing.") from None
            raise
        finally:
            del self._waiting[waiter]
