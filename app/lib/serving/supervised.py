"""What a server does for the supervisor that has started it; see :mod:`app.lib.serving.supervisor`."""

import os
import signal
import socket
import sys
from collections.abc import Sequence
from typing import NoReturn, Self

from app.lib.serving import supervisor
from app.lib.serving.processes import die_with_parent


def supervise() -> NoReturn:
    """Makes this process a supervisor, which runs the command once more, as its child."""
    command = [sys.executable, *sys.orig_argv[1:]]
    os.execv(sys.executable, [sys.executable, "-I", "-S", supervisor.__file__, *command])  # noqa: S606 - this very command


def start_again() -> NoReturn:
    """Makes this process the same command, with the code that is on the disk now."""
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - this very command


def is_supervised() -> bool:
    """Whether a supervisor has started this process, and :meth:`Post.take` was not called yet."""
    return supervisor.CHANNEL in os.environ


def has_terminal() -> bool:
    """Whether a terminal controls this process. When it is closed, SIGHUP means the end; else it means to reload."""
    try:
        os.close(os.open(os.ctermid(), os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True


class Post:
    """A server's place among those of a supervisor. ``inherited`` are the sockets of the server before it."""

    def __init__(self, channel: int, inherited: Sequence[int]) -> None:
        self._channel = socket.socket(fileno=channel)
        self.inherited = [socket.socket(fileno=each) for each in inherited]

    @classmethod
    def take(cls) -> Self | None:
        """None without a supervisor. Makes the process end with it, and leaves SIGHUP to it."""
        if not is_supervised():
            return None
        channel, listeners = os.environ.pop(supervisor.CHANNEL), os.environ.pop(supervisor.LISTENERS)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        die_with_parent(os.getppid())
        return cls(int(channel), [int(each) for each in listeners.split(",") if each])

    def report(self, listeners: Sequence[socket.socket]) -> None:
        """All workers serve."""
        if not self.inherited:
            socket.send_fds(self._channel, [b"."], [each.fileno() for each in listeners])
        os.kill(os.getppid(), supervisor.READY_SIGNAL)
