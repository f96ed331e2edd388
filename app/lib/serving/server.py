"""granian, started from Python, with what its own command line leaves to others."""

import gc
import multiprocessing
import os
import pkgutil
import signal
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec
import structlog
from granian._granian import SocketHolder
from granian.constants import HTTPModes, Interfaces, Loops, RuntimeModes
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.mp import MPServer, WorkerProcess
from watchfiles import Change, PythonFilter

from app.lib.serving.connections import ConnectionWatch, CountedAs
from app.lib.serving.draining import DRAIN_SIGNAL, RETIRE_SIGNAL
from app.lib.serving.processes import allow_files, prepare_forks
from app.lib.serving.workers import BACKLOG, Place, load_app

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
RETIRE_SECONDS = 2.0
"""For which a server that is replaced goes on with the connections it has: with the next answer each one is closed."""
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


_MAX_BUFFER = 131_072
"""Bytes of a connection: the largest head of a request, and what waits for a client that does not read."""


class ServerOptions(msgspec.Struct, frozen=True, kw_only=True):
    """``listeners`` are bound to one port; ``drain_seconds`` pass between SIGTERM and their end.

    With ``http2`` connections are taken in either version, and then nothing ends one whose client says nothing.
    """

    listeners: list[socket.socket]
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
    on_ready: Callable[[], None] | None = None
    """Called once, in a thread, when all workers serve. Not where files are watched."""


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


class _PythonFiles(PythonFilter):
    """Says what the workers are restarted for."""

    def __call__(self, change: Change, path: str) -> bool:
        if wanted := super().__call__(change, path):
            _logger.info("code.changed", file=path, change=change.name)
        return wanted


class _Worker(WorkerProcess):
    def is_alive(self) -> bool:
        """False at once when a thread of granian has reaped it, which may note so after others have looked."""
        try:
            os.kill(self.inner.pid, 0)
        except ProcessLookupError:
            return False
        return bool(self.inner.is_alive())


class _Server(MPServer):
    def __init__(self, options: ServerOptions) -> None:
        self._options = options
        self._listeners = options.listeners
        hold: Any = SocketHolder  # its declared types are of another version
        self._holders = [hold(each.fileno(), uds=False, backlog=BACKLOG) for each in self._listeners]
        """Kept for good: the last reference would close a file whose number may be another one's by then."""
        address, port = self._listeners[0].getsockname()[:2]
        self._watch = ConnectionWatch(
            port, options.max_connections_per_address, options.unread_seconds, options.counted_as
        )
        self._signalled_at: float | None = None
        self._ignores_hangup = signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
        super().__init__(
            target="",
            address=address,
            port=port,
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
            reload_filter=_PythonFiles,
            reload_ignore_worker_failure=True,
        )

    def run(self, app_factory: str) -> None:
        self._app_factory, self._ready = app_factory, None
        if self._options.on_ready:
            signal.signal(RETIRE_SIGNAL, self._retire)
            pipe, self._ready = os.pipe()
            threading.Thread(target=self._await_workers, args=(pipe, self._options.on_ready), daemon=True).start()
        try:
            self.serve(target_loader=load_app, wrap_loader=False)
        except SystemExit:
            if self._signalled_at is None:  # else a worker got the signal from elsewhere, too, which is no failure
                raise

    def _await_workers(self, pipe: int, on_ready: Callable[[], None]) -> None:
        ready: set[int] = set()
        while len(ready) < self.workers:
            ready.update(os.read(pipe, 1))
        on_ready()

    def _init_shared_socket(self) -> None:
        """They are open already: granian's own would be closed with a worker, and lose who waits there."""

    def _drop_shared_socket(self) -> None:
        for each in self._listeners:
            each.close()

    def _spawn_worker(self, idx: int, target: Any, callback_loader: Any, *_: Any) -> WorkerProcess:
        slot = idx % len(self._listeners)
        own, self._shd = self._listeners[slot], self._holders[slot]
        self._sso = own
        # In a fresh interpreter there are no others.
        others = [] if self.reload_on_changes else [each for each in self._listeners if each is not own]
        place = Place(self._app_factory, idx, own, others, self._watch, self._ready)
        worker = super()._spawn_worker(idx, target, partial(callback_loader, place))
        worker.__class__ = _Worker
        return worker

    def signal_handler_interrupt(self, *args: Any, **_options: Any) -> None:
        """SIGTERM and SIGINT to the main process."""
        number = args[0] if args else signal.SIGTERM
        if self._signalled_at is None:
            self._signalled_at = time.monotonic()
            delay = self._options.drain_seconds if number == signal.SIGTERM else 0.0
            _logger.info("stopping", workers=len(self.wrks), waits_up_to_seconds=delay + KILL_TIMEOUT)
            for worker in self.wrks:
                worker.interrupt_by_parent = True  # a service manager may have signalled them as well
            if delay:
                self._end_after(DRAIN_SIGNAL, delay)
            else:
                self._finish()
        elif number == signal.SIGINT and time.monotonic() - self._signalled_at > IMPATIENCE:
            for worker in self.wrks:
                worker.inner.kill()
            self._finish()

    def signal_handler_reload(self, *_args: Any, **_options: Any) -> None:
        """SIGHUP: the terminal was closed. Nothing to a server that a supervisor or ``nohup`` has started."""
        if not self._ignores_hangup:
            self.signal_handler_interrupt(signal.SIGHUP)

    def _retire(self, *_args: Any) -> None:
        """Another server has taken over."""
        if self._signalled_at is None:
            self._end_after(RETIRE_SIGNAL, RETIRE_SECONDS)

    def _end_after(self, number: signal.Signals, seconds: float) -> None:
        """Tells the workers, and ends them some time later."""

        def end() -> None:
            _logger.info("draining", seconds=seconds)
            for worker in self.wrks:
                with suppress(ProcessLookupError):  # it may end at this very moment
                    if worker.inner.is_alive():
                        os.kill(worker.inner.pid, number)
            time.sleep(seconds)
            self._finish()

        threading.Thread(target=end, daemon=True).start()

    def _finish(self) -> None:
        self.interrupt_signal = True
        self.main_loop_interrupt.set()
