"""One process at a terminal, in which ``breakpoint()`` works, and in which time stands still while a person thinks."""

import asyncio
import inspect
import os
import pdb  # noqa: T100 - for those who call breakpoint()
import signal
import socket
import sys
import time
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

from granian.constants import Interfaces

from app.lib.serving.embedded import embed

_DAY = 86_400


class StoppableLoop(asyncio.SelectorEventLoop):
    """Its clock stands still in a debugger, so that no timeout of the program ends there."""

    paused = 0.0

    def time(self) -> float:
        return super().time() - self.paused


class _Debugger(pdb.Pdb):
    """Ctrl-C at its prompt is an interrupt there; elsewhere it ends the server, which pdb's own handler would not."""

    is_asking = False

    def __init__(self, loop: StoppableLoop) -> None:
        super().__init__(nosigint=True)
        self._loop = loop

    def interaction(self, frame: FrameType | None, traceback: TracebackType | None) -> None:
        began, self.is_asking = time.monotonic(), True
        try:
            super().interaction(frame, traceback)
        finally:
            self.is_asking = False
            self._loop.paused += time.monotonic() - began


def run_debugged(make_app: Callable[[], Any], listeners: list[socket.socket], on_end: Callable[[Any], None]) -> None:
    """Serves until SIGINT or SIGTERM; a second one ends the process at once. ``on_end`` gets the app.

    Where ``PYTHONBREAKPOINT`` names another debugger, that is called, and time goes on in it.
    """
    loop = StoppableLoop()
    debugger = _Debugger(loop)

    def stop_here(*_arguments: Any, **_options: Any) -> None:
        frame = inspect.currentframe()
        debugger.set_trace(frame.f_back if frame else None)

    if "PYTHONBREAKPOINT" not in os.environ:
        sys.breakpointhook = stop_here
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(_serve(make_app, listeners, on_end, debugger))


async def _serve(
    make_app: Callable[[], Any], listeners: list[socket.socket], on_end: Callable[[Any], None], debugger: _Debugger
) -> None:
    app, loop = make_app(), asyncio.get_running_loop()
    [place] = listeners
    server = embed(app, place, Interfaces.ASGI, _DAY)

    def end() -> None:
        on_end(app)
        server.stop()  # type: ignore[no-untyped-call]  # granian's own

    def on_signal(number: int, _frame: FrameType | None) -> None:
        if debugger.is_asking and number == signal.SIGINT:
            raise KeyboardInterrupt
        if debugger.is_asking or server.interrupt_signal:
            os._exit(0)
        loop.call_soon_threadsafe(end)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, on_signal)
    await server.serve()
