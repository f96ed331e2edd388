"""Programs that talk to a person at a terminal."""

import os
import pty
import select
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.processes import PATIENCE


class Terminal:
    """A program with a terminal of its own. ``shown`` is what it has written, and what was typed."""

    def __init__(self, command: list[str], folder: Path, environ: Mapping[str, str]) -> None:
        self.shown = ""
        self._read = 0
        self.pid, self._end = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            os.execvpe(command[0], command, {**os.environ, "TERM": "dumb", **environ})  # noqa: S606 - our own command

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        if self._end:
            os.close(self._end)

    def until(self, text: str) -> str:
        """Waits for this text after what was waited for before. Returns what came with it."""
        deadline = time.monotonic() + PATIENCE
        while text not in self.shown[self._read :]:
            assert time.monotonic() < deadline, f"{text!r} does not come:\n{self.shown}"
            assert self._take(), f"{text!r} has not come:\n{self.shown}"
        begin, self._read = self._read, self.shown.index(text, self._read) + len(text)
        return self.shown[begin : self._read]

    def write(self, text: str) -> None:
        os.write(self._end, text.encode())

    def end(self) -> int:
        """Waits for the program to end. Returns its exit code."""
        deadline = time.monotonic() + PATIENCE
        while self._take():
            assert time.monotonic() < deadline, f"it does not end:\n{self.shown}"
        _, status = os.waitpid(self.pid, 0)
        self.pid = 0
        return os.waitstatus_to_exitcode(status)

    def hang_up(self) -> int:
        """Closes the terminal and waits for the program to end. Returns its exit code."""
        os.close(self._end)
        deadline = time.monotonic() + PATIENCE
        while not (ended := os.waitpid(self.pid, os.WNOHANG))[0]:
            assert time.monotonic() < deadline, f"it does not end:\n{self.shown}"
            time.sleep(0.05)
        self.pid = self._end = 0
        return os.waitstatus_to_exitcode(ended[1])

    def _take(self) -> bool:
        """Reads what there is, for up to a moment; False once the program has closed the terminal."""
        try:
            if select.select([self._end], [], [], 0.2)[0]:
                self.shown += os.read(self._end, 65_536).decode(errors="replace").replace("\r\n", "\n")
        except OSError:
            return False
        return True
