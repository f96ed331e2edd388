"""The process that a service manager knows. It holds the listening sockets, and on SIGHUP replaces the server by one
that is started from what is on the disk now; no request is lost on the way.

Runs as a script, ``python -I -S supervisor.py COMMAND…``, with the standard library alone: it is small, and stays the
same while everything else is replaced. What a server has to do is in :mod:`app.lib.serving.supervised`.
"""

import json
import os
import signal
import socket
import sys
from contextlib import suppress
from datetime import UTC, datetime

READY_SIGNAL = signal.SIGUSR1
"""From a server: all its workers serve. The first one has sent its listening sockets over the channel before."""
RETIRE_SIGNAL = signal.SIGUSR2
"""To a server: another one serves in its place."""
CHANNEL = "SERVING_CHANNEL"
"""The variable with the file of the channel; it is set where there is a supervisor."""
LISTENERS = "SERVING_LISTENERS"
"""The variable with the files of the listening sockets; empty for the first server, which opens them."""
SIGNALS = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD, READY_SIGNAL}
"""Those that the supervisor waits for, and therefore blocks."""
START_SECONDS = 300.0
"""In which the next server has to be ready."""
_MOST_LISTENERS = 256


class Supervisor:
    def __init__(self, command: list[str]) -> None:
        self._command = command
        self._channel, theirs = socket.socketpair()
        theirs.set_inheritable(True)
        self._theirs = theirs
        self._listeners: list[int] = []
        self._next: int | None = None
        self._retired: set[int] = set()
        self._reload_later = self._is_ending = False
        self._exit_code: int | None = None
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        self._server = self._start()

    def run(self) -> int:
        """Returns the exit code of the server once every process has ended."""
        while self._exit_code is None or self._next is not None or self._retired:
            info = signal.sigtimedwait(SIGNALS, START_SECONDS)
            if info is None:
                self._give_up()
            elif info.si_signo == signal.SIGCHLD:
                self._reap()
            elif info.si_signo == READY_SIGNAL:
                self._welcome(info.si_pid)
            elif info.si_signo == signal.SIGHUP:
                self._reload()
            else:
                self._end(signal.Signals(info.si_signo))
        return self._exit_code

    def _start(self) -> int:
        listeners = ",".join(map(str, self._listeners))
        environ = {**os.environ, CHANNEL: str(self._theirs.fileno()), LISTENERS: listeners}
        return os.posix_spawn(self._command[0], self._command, environ, setsigmask=())

    def _reload(self) -> None:
        self._reload_later = not self._listeners or self._next is not None
        if self._reload_later or self._is_ending:
            return
        self._next = self._start()
        _log("info", "reload.begins", process=self._next)

    def _give_up(self) -> None:
        """The next server is not ready in time."""
        if self._next is not None:
            _signal(self._next, signal.SIGKILL)

    def _welcome(self, process: int) -> None:
        if process == self._server and not self._listeners:
            _, self._listeners, _, _ = socket.recv_fds(self._channel, 1, _MOST_LISTENERS)
            for each in self._listeners:
                os.set_inheritable(each, True)
        elif process == self._next and not self._is_ending:
            _signal(self._server, RETIRE_SIGNAL)
            self._retired.add(self._server)
            self._server, self._next = process, None
            _log("info", "reload.done", process=process)
        if self._reload_later:
            self._reload()

    def _end(self, number: signal.Signals) -> None:
        """The server has the listening sockets, too, so that it may still drain."""
        if not self._is_ending:
            for each in self._listeners:
                os.close(each)
        self._is_ending = True
        _signal(self._server, number)
        for each in {*self._retired, *([] if self._next is None else [self._next])}:
            _signal(each, signal.SIGTERM)

    def _reap(self) -> None:
        with suppress(ChildProcessError):
            while (found := os.waitpid(-1, os.WNOHANG))[0]:
                self._bury(found[0], os.waitstatus_to_exitcode(found[1]))

    def _bury(self, process: int, code: int) -> None:
        self._retired.discard(process)
        if process == self._next:
            self._next = None
            if not self._is_ending:
                hint = "The version before goes on serving."
                _log("error", "reload.failed", process=process, exit_code=code, hint=hint)
                if self._reload_later:
                    self._reload()
        elif process == self._server:
            asked = self._is_ending and -code in {signal.SIGTERM, signal.SIGINT}  # before it took the signals
            self._exit_code = 0 if asked else code if code >= 0 else 128 - code
            self._end(signal.SIGTERM)


def _signal(process: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(process, number)


def _log(level: str, event: str, **members: object) -> None:
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    line = {"timestamp": now, "level": level, "logger": "app.lib.serving.supervisor", "event": event, **members}
    with suppress(OSError):
        os.write(1, f"{json.dumps(line)}\n".encode())


if __name__ == "__main__":
    sys.exit(Supervisor(sys.argv[1:]).run())
