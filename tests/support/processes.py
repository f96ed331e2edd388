"""Real processes for tests: started, watched, and gone at the end."""

import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from tests.support.forks import Fork

PATIENCE = 60.0
"""Seconds after which a test gives up on a process; nothing takes that long unless it is broken."""


NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For clients that speak plain HTTP: to read the certificates for a context of one's own takes 70 ms."""


_APP = str(Path(sys.executable).with_name("app"))


class Server:
    """A server in a process (and a process group) of its own. What it writes is in ``output`` and ``errors``."""

    def __init__(self, command: Sequence[str], folder: Path, port: int, environ: Mapping[str, str]) -> None:
        self.folder = folder
        self.port = port
        self._client = httpx.Client(verify=NO_TLS, timeout=PATIENCE, limits=httpx.Limits(max_keepalive_connections=0))
        self._output, self._errors = folder / "server.out", folder / "server.err"
        self._output.touch()
        self._errors.touch()
        everything = {**os.environ, "PYTHONUNBUFFERED": "1", **environ}
        self.process = self._fork(command, everything) if command[0] == _APP else self._open(command, everything)

    def _fork(self, command: Sequence[str], environ: Mapping[str, str]) -> Fork:
        return Fork(command[1:], self.folder, environ, self._output, self._errors)

    def _open(self, command: Sequence[str], environ: Mapping[str, str]) -> subprocess.Popen[bytes]:
        with self._output.open("w") as output, self._errors.open("w") as errors:
            return subprocess.Popen(  # noqa: S603 - our own command
                command,
                cwd=self.folder,
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                start_new_session=True,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._client.close()

    @property
    def output(self) -> str:
        return self._output.read_text()

    @property
    def errors(self) -> str:
        return self._errors.read_text()

    def get(self, path: str, **headers: str) -> httpx.Response:
        return self._client.get(f"http://127.0.0.1:{self.port}{path}", headers=headers)

    def answers(self, path: str, text: str = "") -> bool:
        """Whether there is a good answer with this text in it, now."""
        try:
            answer = self.get(path)
        except httpx.TransportError:
            return False
        return answer.is_success and text in answer.text

    def until_it_answers(self, path: str) -> None:
        self.until(lambda: self.answers(path))

    def until(self, condition: Callable[[], object]) -> None:
        """Waits for a condition as long as the server lives."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            said = f"{self.output}\n{self.errors}"
            assert self.process.poll() is None, f"ended with {self.process.returncode}:\n{said}"
            assert time.monotonic() < deadline, f"nothing happened:\n{said}"
            time.sleep(0.05)

    def tell(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ends it by a signal; its exit code."""
        self.tell(number)
        return self.process.wait(PATIENCE)

    def kill(self) -> None:
        """kill -9 of it and of its child processes, all at once. Returns when none of them runs."""
        workers = self.workers()
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(PATIENCE)
        until_gone(workers)

    def workers(self) -> set[int]:
        """The ids of the processes that it has started, or these, and that have not started others."""
        found = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,stat="], capture_output=True, check=True, text=True)  # noqa: S607 - wherever ps is
        rows = [line.split() for line in found.stdout.splitlines()]
        children: dict[int, set[int]] = {}
        for pid, parent, state in rows:
            if state[0] != "Z":
                children.setdefault(int(parent), set()).add(int(pid))
        generation = children.get(self.process.pid, set())
        while below := set().union(*(children.get(each, set()) for each in generation)):
            generation = below
        return generation


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that only waits to be reaped does not."""
    found = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, check=False, text=True)  # noqa: S603, S607 - a number
    return bool(found.stdout.strip()) and not found.stdout.startswith("Z")


def until_gone(pids: set[int]) -> None:
    """Waits until none of the processes runs."""
    deadline = time.monotonic() + PATIENCE
    while alive := {pid for pid in pids if is_alive(pid)}:
        assert time.monotonic() < deadline, f"still alive: {alive}"
        time.sleep(0.02)


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def app_command(*arguments: str) -> list[str]:
    """The `app` command of this environment."""
    return [_APP, *arguments]


def command_path(name: str) -> str:
    """A command of this environment."""
    return str(Path(sys.executable).with_name(name))
