"""Draining: the service says that it is about to go while it still serves, so that traffic moves elsewhere first.

The listener closes the moment a worker gets SIGTERM, so readiness has to turn 503 before that. The main process
sends :data:`DRAIN_SIGNAL` to its workers, waits, and then ends them. A worker that has to say good-bye to its
clients does so before the server gets the signal: afterwards upgraded connections are cut.
"""

import asyncio
import multiprocessing
import signal
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from types import FrameType
from typing import Any, ClassVar, Protocol

import structlog
from granian import _signals

DRAIN_SIGNAL = signal.SIGUSR1
"""Tells a worker to drain; it goes on serving."""
FAREWELL_SECONDS = 3.0
"""For how long, at most, the server goes on for the sake of these good-byes."""

Farewell = Callable[[], Awaitable[None]]

_logger = structlog.stdlib.get_logger(__name__)


class Draining:
    """Whether this process is about to end. One per app; readiness asks it, and endless streams end by it."""

    def __init__(self) -> None:
        self._farewells: list[Farewell] = []
        self._announcement: asyncio.Task[None] | None = None
        self._ending: asyncio.Task[None] | None = None

    def is_set(self) -> bool:
        return self._announcement is not None

    def set(self) -> None:
        """Announces the end, and begins with the good-byes. Call it in the event loop's thread."""
        if self._announcement is None:
            self._announcement = asyncio.create_task(self._say_goodbye())

    def on_end(self, farewell: Farewell) -> None:
        """Calls this when the end is announced, and again when it comes: then the server waits until it returns, or
        :data:`FAREWELL_SECONDS` are over.
        """
        self._farewells.append(farewell)

    @asynccontextmanager
    async def lifespan(self, _app: object) -> AsyncGenerator[None]:
        """For ``Litestar(lifespan=[...])``: announces the end on :data:`DRAIN_SIGNAL`, SIGTERM and SIGINT.

        Takes signals only in the main thread of a server's worker: elsewhere they belong to another program.
        """
        if multiprocessing.parent_process() and threading.current_thread() is threading.main_thread():
            loop = asyncio.get_running_loop()
            loop.add_signal_handler(DRAIN_SIGNAL, self.set)
            for number in (signal.SIGTERM, signal.SIGINT):
                if WorkerEnd.signal is not None:
                    _take(number, loop, self._begin_end)
                else:
                    _announce_before(number, loop, self.set)
        yield

    async def _say_goodbye(self) -> None:
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(FAREWELL_SECONDS):
                    await asyncio.gather(*(farewell() for farewell in self._farewells))
        except Exception:
            _logger.exception("draining.farewell_failed")

    def _begin_end(self) -> None:
        async def end() -> None:
            await self._say_goodbye()
            if WorkerEnd.signal is not None:
                WorkerEnd.signal.set()

        self.set()
        if self._ending is None:
            self._ending = asyncio.create_task(end())


class _Signal(Protocol):
    """Like ``asyncio.Event``."""

    def set(self) -> object: ...


class WorkerEnd:
    """How this worker of granian is ended: to set ``signal`` is what granian would do when it gets SIGTERM."""

    signal: ClassVar[_Signal | None] = None

    @classmethod
    def take(cls) -> None:
        """Has granian hand it over, in a worker that has not set its signals yet. A signal still ends it at once."""
        original: Callable[[Any], _Signal] = _signals.set_loop_signals

        def set_loop_signals(loop: Any) -> _Signal:
            cls.signal = original(loop)
            return cls.signal

        _signals.set_loop_signals = set_loop_signals


def _take(number: signal.Signals, loop: asyncio.AbstractEventLoop, begin: Callable[[], None]) -> None:
    """In place of granian's handler. uvloop forgets a signal that comes while the loop stands still, as it does for a
    moment between the app's start and the first request; a call it does not forget.
    """
    loop.add_signal_handler(number, lambda: None)

    def handle(_received: int, _frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(begin)

    signal.signal(number, handle)


def _announce_before(number: signal.Signals, loop: asyncio.AbstractEventLoop, announce: Callable[[], None]) -> None:
    """Puts the announcement in front of the handler that the server has set; that one still ends the worker.

    uvloop forgets a signal that comes while the loop stands still, as it does for a moment between the app's start
    and the first request. It is raised again once the loop runs.
    """
    previous: Any = signal.getsignal(number)

    def handle(received: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(announce)
        if not loop.is_running():
            loop.call_soon_threadsafe(signal.raise_signal, received)
        elif callable(previous):
            previous(received, frame)

    signal.signal(number, handle)
