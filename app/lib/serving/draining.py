"""Draining: the service says that it is about to go while it still serves, so that traffic moves elsewhere first.

The listener closes the moment a worker gets SIGTERM, so readiness has to turn 503 before that. The main process
sends :data:`DRAIN_SIGNAL` to its workers, waits, and then ends them.
"""

import asyncio
import multiprocessing
import signal
import threading
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from types import FrameType
from typing import Any

DRAIN_SIGNAL = signal.SIGUSR1
"""Tells a worker to drain; it goes on serving."""


class Draining:
    """Whether this process is about to end. One per app; readiness asks it, and endless streams wait for it."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def is_set(self) -> bool:
        """Whether the end was announced."""
        return self._event.is_set()

    def set(self) -> None:
        """Announces the end. Call it in the event loop's thread."""
        self._event.set()

    async def wait(self) -> None:
        """Returns once the end is announced; what streams to a client stops then."""
        await self._event.wait()

    @asynccontextmanager
    async def lifespan(self, _app: object) -> AsyncGenerator[None]:
        """For ``Litestar(lifespan=[...])``: announces the end on :data:`DRAIN_SIGNAL`, SIGTERM and SIGINT.

        Takes no signal but in the main thread of a server's worker: elsewhere they are somebody else's.
        """
        if multiprocessing.parent_process() and threading.current_thread() is threading.main_thread():
            loop = asyncio.get_running_loop()
            loop.add_signal_handler(DRAIN_SIGNAL, self.set)
            for number in (signal.SIGTERM, signal.SIGINT):
                _announce_before(number, loop, self._event)
        yield


def _announce_before(number: signal.Signals, loop: asyncio.AbstractEventLoop, event: asyncio.Event) -> None:
    """Puts the announcement in front of the handler that the server has set; that one still ends the worker.

    uvloop forgets a signal that comes while the loop stands still, as it does for a moment between the app's start
    and the first request. It is raised again once the loop runs.
    """
    previous: Any = signal.getsignal(number)

    def handle(received: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(event.set)
        if not loop.is_running():
            loop.call_soon_threadsafe(signal.raise_signal, received)
        elif callable(previous):
            previous(received, frame)

    signal.signal(number, handle)
