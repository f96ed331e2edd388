"""Draining: the service says that it is about to go while it still serves, so that traffic moves elsewhere first.

The listener closes the moment a worker gets SIGTERM, so readiness has to turn 503 before that. The main process
sends :data:`DRAIN_SIGNAL` to its workers, waits, and then ends them. A worker that has to say good-bye to its
clients does so before the server gets the signal: afterwards upgraded connections are cut.

Where another server takes over on the same sockets, the workers get :data:`RETIRE_SIGNAL` instead: readiness does not
change, because traffic should stay.
"""

import asyncio
import multiprocessing
import os
import select
import signal
import socket
import sys
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any, ClassVar, Protocol

import structlog
from granian import _signals

from app.lib.serving import supervisor

DRAIN_SIGNAL = signal.SIGUSR1
"""Tells a worker to drain; it goes on serving."""
RETIRE_SIGNAL = supervisor.RETIRE_SIGNAL
"""Tells a worker to take no further connections, and to let go of those it has."""
FAREWELL_SECONDS = 3.0
"""For how long, at most, the server goes on for the sake of these good-byes."""

_FILES = "/proc/self/fd"

Farewell = Callable[[], Awaitable[None]]

_logger = structlog.stdlib.get_logger(__name__)


class Draining:
    """Whether this process is about to end. One per app; readiness asks it, and endless streams end by it."""

    def __init__(self) -> None:
        self._farewells: list[Farewell] = []
        self._announcement: asyncio.Task[None] | None = None
        self._is_replaced = False
        self._ending: asyncio.Task[None] | None = None

    def is_set(self) -> bool:
        return self._announcement is not None

    def turns_away(self) -> bool:
        """Whether traffic should go elsewhere."""
        return self.is_set() and not self._is_replaced

    def set(self) -> None:
        """Announces the end, and begins with the good-byes. Call it in the event loop's thread."""
        WorkerEnd.is_near = WorkerEnd.signal is not None
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
            loop.add_signal_handler(RETIRE_SIGNAL, self._retire)
            for number in (signal.SIGTERM, signal.SIGINT):
                if WorkerEnd.signal is not None:
                    _take(number, loop, self._begin_end)
                else:
                    _announce_before(number, loop, self.set)
        yield

    def _retire(self) -> None:
        self._is_replaced = True
        stop_accepting()
        self.set()

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
                if WorkerEnd.listener is not None:  # what granian listens with is a copy
                    WorkerEnd.listener.close()
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
    listener: ClassVar[socket.socket | None] = None
    is_near: ClassVar[bool] = False
    """Whether connections should not be kept for a further request."""

    @classmethod
    def take(cls, listener: socket.socket) -> None:
        """Has granian hand it over, in a worker that has not set its signals yet. A signal still ends it at once."""
        cls.listener = listener
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


def stop_accepting() -> None:
    """Leaves new connections to the other processes that have the same listening sockets, on Linux alone.

    Else one that is accepted but not read from when the server ends is lost, and with it the request on its way.
    """
    if sys.platform != "linux":
        return
    names = {int(file): _name_of(file) for file in os.listdir(_FILES)}  # noqa: PTH208 - names alone
    listeners = [file for file, name in names.items() if name.startswith("socket:") and _is_listening(file)]
    for file, name in names.items():
        if name == "anon_inode:[eventpoll]":
            with select.epoll.fromfd(os.dup(file)) as poll:
                for listener in listeners:
                    with suppress(OSError):  # it is another loop's
                        poll.unregister(listener)


def _name_of(file: str) -> str:
    try:
        return str(Path(_FILES, file).readlink())
    except OSError:  # the list's own
        return ""


def _is_listening(file: int) -> bool:
    with socket.socket(fileno=os.dup(file)) as opened:
        return opened.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 1
