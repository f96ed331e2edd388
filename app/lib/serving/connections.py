"""How many connections an address has, and how long one is kept whose client does not read. On Linux alone.

granian accepts every connection, and keeps what a client does not read for as long as the client likes. So each worker
looks at its own open files once a second: the kernel ends a connection that takes nothing (``TCP_USER_TIMEOUT``, RFC
5482), and those of an address beyond the limit are shut down.
"""

import os
import socket
import stat
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

_FILES = "/proc/self/fd"
_SECONDS = 1.0

CountedAs = Callable[[str], str | None]
"""The name under which the connections of an address count; None where they do not."""


class ConnectionWatch:
    """Of the clients of one port, in this process."""

    def __init__(self, port: int, most: int, unread_seconds: float, counted_as: CountedAs) -> None:
        self._port, self._most, self._counted_as = port, most, counted_as
        self._unread_milliseconds = round(unread_seconds * 1000)
        self._known: dict[int, tuple[int, str | None]] = {}
        """By file, the number of its socket, and the name under which it counts."""

    def start(self) -> None:
        """In a thread, for the life of the process. Does nothing on other systems."""
        if sys.platform == "linux":
            threading.Thread(target=self._run, name="connections", daemon=True).start()

    def _run(self) -> None:
        while True:
            with suppress(OSError):  # no files are left
                self.look()
            time.sleep(_SECONDS)

    def look(self) -> None:
        """Meets the new connections. Raises ``OSError`` where the list cannot be read."""
        found: dict[int, int] = {}
        for file in map(int, os.listdir(_FILES)):  # noqa: PTH208 - names alone, ten thousand of them
            with suppress(OSError):  # closed in the meantime
                status = os.fstat(file)
                if stat.S_ISSOCK(status.st_mode):
                    found[file] = status.st_ino
        known = {file: each for file, each in self._known.items() if found.get(file) == each[0]}
        counts = Counter(name for _, name in known.values() if name is not None)
        for file in found.keys() - known.keys():
            with suppress(OSError):
                known[file] = found[file], self._meet(file, counts)
        self._known = known

    def _meet(self, file: int, counts: Counter[str]) -> str | None:
        """The name under which a new connection counts; None for what is no connection of a client."""
        with socket.socket(fileno=os.dup(file)) as connection:
            if connection.family not in {socket.AF_INET, socket.AF_INET6} or connection.type != socket.SOCK_STREAM:
                return None
            if connection.getsockname()[1] != self._port or connection.getsockopt(
                socket.SOL_SOCKET, socket.SO_ACCEPTCONN
            ):
                return None
            peer: str = connection.getpeername()[0]
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, self._unread_milliseconds)
            name = self._counted_as(peer)
            if name is not None and counts[name] >= self._most:
                connection.shutdown(socket.SHUT_RDWR)
                return None
            if name is not None:
                counts[name] += 1
            return name
