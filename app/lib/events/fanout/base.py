"""A fan-out carries messages to all other processes."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import structlog

log = structlog.stdlib.get_logger(__name__)

_PAUSES = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0)
ALIVE_SECONDS = 5.0
"""How often a connection is tried, and how long an answer may take."""


class Fanout:
    """Carries messages to all other processes; by itself it is for the only process, and carries none.

    It never raises into a sender, and reconnects. A process may hear its own messages.
    """

    max_message = 0
    """Bytes of the largest message; 0 where there is no way to other processes."""
    reaches_others = True
    """False where other processes may exist that do not hear of hints: they have to look at the database often."""

    @property
    def is_connected(self) -> bool:
        """Whether messages go through at the moment, as far as is known."""
        return True

    async def start(self, receive: Callable[[bytes], None], lost: Callable[[], None]) -> None:
        """Starts to connect. ``lost`` is called when messages may have been lost: at each new connection."""

    async def send(self, messages: Sequence[bytes]) -> None:
        """Sends to every process that is connected."""

    async def close(self) -> None:
        """Closes the connections."""


class SilentFanout(Fanout):
    """For several processes without a way to each other, such as workers on one SQLite file."""

    reaches_others = False


class ConnectedFanout(Fanout, ABC):
    """One connection, on which a subclass stays until it breaks; then the next one, with growing pauses."""

    faults: tuple[type[Exception], ...]
    """What the connection may raise."""

    def __init__(self, alive_seconds: float) -> None:
        self._alive_seconds = alive_seconds
        self._receive: Callable[[bytes], None]
        self._lost: Callable[[], None]
        self._is_connected = False
        self._failures = 0
        self._task: asyncio.Task[None] | None = None

    @property
    def is_connected(self) -> bool:
        """Whether we are listening, as far as is known."""
        return self._is_connected

    async def start(self, receive: Callable[[bytes], None], lost: Callable[[], None]) -> None:
        """Starts to connect; does not wait for it."""
        self._receive, self._lost = receive, lost
        self._task = asyncio.create_task(self._run(), name="hints")

    async def close(self) -> None:
        """Closes the connection."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    @abstractmethod
    async def listen(self) -> None:
        """Connects, calls :meth:`connected`, and receives until the connection breaks. Raises one of the faults."""

    def connected(self) -> None:
        """From now on messages come."""
        if self._failures:
            log.info("events.fanout_connected")
        self._is_connected, self._failures = True, 0
        self._lost()

    async def _run(self) -> None:
        while True:
            try:
                await self.listen()
            except self.faults as exc:
                if not self._failures:
                    log.warning("events.fanout_lost", error=type(exc).__name__)
            finally:
                self._is_connected = False
            await asyncio.sleep(_PAUSES[min(self._failures, len(_PAUSES) - 1)])
            self._failures += 1
