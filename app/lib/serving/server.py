"""granian, started from Python, with what its own command line leaves to others."""

import asyncio
import gc
import multiprocessing
import os
import pkgutil
import signal
import sys
import threading
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec
import structlog
from granian.constants import HTTPModes, Interfaces, Loops, RuntimeModes
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.embed import Server
from granian.server.mp import MPServer
from litestar.types import ASGIApp
from watchfiles import PythonFilter

from app.lib.serving.connections import ConnectionWatch, CountedAs
from app.lib.serving.draining import DRAIN_SIGNAL, WorkerEnd
from app.lib.serving.processes import allow_files, die_with_parent, enter_worker, prepare_forks

KILL_TIMEOUT = 30
"""Seconds that a worker may take over its last requests."""
HEADER_SECONDS = 75.0
"""In which a client must have sent a request's head. It ends idle connections too, and must be longer than the 60 s for
which proxies and clients keep theirs: who closes first may cut the other's next request."""
UNREAD_SECONDS = 60.0
"""For which a client may take nothing of what it is sent."""
CONNECTIONS = 10_000
"""Per worker, idle ones and WebSockets included; further ones wait."""
FILES = 256
"""Open files of a worker that are no clients' connections: the database's, logs, the program's own."""
IMPATIENCE = 1.0
"""Seconds after which another Ctrl-C means "now". One press may arrive twice, from the terminal and from a wrapper."""

_PLAIN_LOGGERS: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {},
    "handlers": {},
    "loggers": {"_granian": {"handlers": [], "propagate": True}, "granian.access": {"handlers": []}},
}

_logger = structlog.stdlib.get_logger(__name__)


_LAST_ANSWERS_SECONDS = 2.0
_MAX_BUFFER = 131_072
"""Bytes of a connection: the largest head of a request, and what waits for a client that does not read."""


class ServerOptions(msgspec.Struct, frozen=True, kw_only=True):
    """``address`` is an IP address; ``drain_seconds`` pass between SIGTERM and the end of the listener.

    With ``http2`` connections are taken in either version, and then nothing ends one whose client says nothing.
    """

    address: str
    port: int
    workers: int = 1
    drain_seconds: float = 0.0
    header_seconds: float = HEADER_SECONDS
    http2: bool = False
    max_connections_per_address: int = CONNECTIONS
    """In each worker."""
    unread_seconds: float = UNREAD_SECONDS
    counted_as: CountedAs = str
    """See :mod:`app.lib.serving.connections`; has to be picklable."""
    reload_directory: Path | None = None
    """Python files whose change restarts the workers; None does not watch anything."""


def run_server(app_factory: str, options: ServerOptions) -> None:
    """Serves until SIGTERM or SIGINT, then returns. Raises ``SystemExit`` when workers fail again and again.

    ``app_factory`` is ``package.module:function``. Workers are forked with the app's modules already loaded, so
    that they start fast and share memory; where files are watched each one is a fresh interpreter instead.
    Requests that are being answered then have :data:`KILL_TIMEOUT` seconds; another Ctrl-C cuts that short.
    """
    # A signal waits until granian is ready for it.
    former = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    server = _Server(options)
    server.on_startup(lambda: signal.pthread_sigmask(signal.SIG_SETMASK, former))
    if options.reload_directory:
        multiprocessing.set_start_method("spawn", force=True)
    elif multiprocessing.get_start_method() == "fork":
        pkgutil.resolve_name(app_factory)
        gc.collect()
        gc.freeze()  # what workers share is not copied by their collectors
        prepare_forks()
    server.run(app_factory)


def load_app(app_factory: str, watch: ConnectionWatch) -> Any:
    """Runs first in a worker: makes it one that ends when it should, then makes the app."""
    enter_worker()
    die_with_parent()
    WorkerEnd.take()
    watch.start()
    return pkgutil.resolve_name(app_factory)()


@asynccontextmanager
async def listening(app: ASGIApp, address: str, port: int) -> AsyncGenerator[None]:
    """Serves an application in this event loop, without its lifespan: probes of a process that does something else."""
    server = Server(
        app,
        address=address,
        port=port,
        interface=Interfaces.ASGINL,
        http=HTTPModes.http1,
        websockets=False,
        http1_settings=HTTP1Settings(header_read_timeout=round(HEADER_SECONDS * 1000), max_buffer_size=_MAX_BUFFER),
        log_level=LogLevels.error,
        log_dictconfig=_PLAIN_LOGGERS,
    )
    task = asyncio.create_task(server.serve())
    try:
        yield
    finally:
        server.stop()  # type: ignore[no-untyped-call]  # granian has no types here
        with suppress(TimeoutError):  # of one that has begun a request and says no more
            await asyncio.wait_for(task, _LAST_ANSWERS_SECONDS)


class _Server(MPServer):
    def __init__(self, options: ServerOptions) -> None:
        self._drain_seconds = options.drain_seconds
        self._watch = ConnectionWatch(
            options.port, options.max_connections_per_address, options.unread_seconds, options.counted_as
        )
        self._signalled_at: float | None = None
        super().__init__(
            target="",
            address=options.address,
            port=options.port,
            interface=Interfaces.ASGI,
            workers=options.workers,
            loop=Loops.uvloop if find_spec("uvloop") else Loops.asyncio,
            backpressure=allow_files(CONNECTIONS + FILES) - FILES,
            # With more threads granian 2.8 panics, and sometimes never ends, when it stops with WebSockets open.
            runtime_mode=RuntimeModes.st,
            http=HTTPModes.auto if options.http2 else HTTPModes.http1,
            http1_settings=HTTP1Settings(
                header_read_timeout=round(options.header_seconds * 1000), max_buffer_size=_MAX_BUFFER
            ),
            log_level=LogLevels.warning,
            log_dictconfig=_PLAIN_LOGGERS,
            respawn_failed_workers=True,
            respawn_interval=1,
            workers_kill_timeout=KILL_TIMEOUT,
            reload=options.reload_directory is not None,
            reload_paths=[options.reload_directory] if options.reload_directory else None,
            reload_filter=PythonFilter,
            reload_ignore_worker_failure=True,
        )

    def run(self, app_factory: str) -> None:
        try:
            self.serve(target_loader=partial(load_app, app_factory, self._watch), wrap_loader=False)
        except SystemExit:
            if self._signalled_at is None:  # else a worker got the signal from elsewhere, too, which is no failure
                raise

    def signal_handler_interrupt(self, *args: Any, **_options: Any) -> None:
        """SIGTERM and SIGINT to the main process."""
        number = args[0] if args else signal.SIGTERM
        if self._signalled_at is None:
            self._signalled_at = time.monotonic()
            for worker in self.wrks:
                worker.interrupt_by_parent = True  # a service manager may have signalled them as well
            if self._drain_seconds and number == signal.SIGTERM:
                threading.Thread(target=self._drain, daemon=True).start()
            else:
                self._finish()
        elif number == signal.SIGINT and time.monotonic() - self._signalled_at > IMPATIENCE:
            for worker in self.wrks:
                worker.inner.kill()
            self._finish()

    def signal_handler_reload(self, *_args: Any, **_options: Any) -> None:
        """SIGHUP: a closed terminal ends the server; a service manager gets fresh workers."""
        if sys.stdin is not None and sys.stdin.isatty():
            self.signal_handler_interrupt(signal.SIGHUP)
        else:
            self.reload_signal = True
            self.main_loop_interrupt.set()

    def _drain(self) -> None:
        _logger.info("draining", seconds=self._drain_seconds)
        for worker in self.wrks:
            with suppress(ProcessLookupError):  # it may end at this very moment
                if worker.inner.is_alive():
                    os.kill(worker.inner.pid, DRAIN_SIGNAL)
        time.sleep(self._drain_seconds)
        self._finish()

    def _finish(self) -> None:
        self.interrupt_signal = True
        self.main_loop_interrupt.set()
