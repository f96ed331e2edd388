"""Servers, as an operator starts them, and what they cost."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.load import NODE, PEERS

_TICK = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")

Command = Callable[[int], Sequence[str | Path]]
"""Makes the command that serves on a port."""


def app_command(app: Path | None = None, *, workers: int = 1) -> Command:
    """``app serve`` of this checkout, or of another one."""
    script = app or Path(sys.executable).with_name("app")
    return lambda port: [script, "serve", "--port", str(port), "--workers", str(workers)]


def _granian(module: str) -> Command:
    options = ["--interface", "asgi", "--loop", "uvloop", "--workers", "1", "--log-level", "warning"]
    command = [sys.executable, "-m", "granian", *options, f"benchmarks.peers.{module}:app", "--host", "127.0.0.1"]
    return lambda port: [*command, "--port", str(port)]


def _uvicorn(module: str) -> Command:
    options = ["--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"]
    command = [sys.executable, "-m", "uvicorn", *options, f"benchmarks.peers.{module}:app"]
    return lambda port: [*command, "--port", str(port)]


OURS = "Lodestar"
SQLITE = "Lodestar on SQLite"
BARE = "bare ASGI + asyncpg"
FASTAPI = "FastAPI"
FASTIFY = "Fastify"
ALCHEMY = "Litestar + advanced-alchemy"
COMMANDS: dict[str, Command] = {
    OURS: app_command(),
    SQLITE: app_command(),
    BARE: _granian("bare"),
    FASTIFY: lambda port: [NODE, PEERS / "fastify.mjs", str(port)],
    ALCHEMY: _granian("litestar_aa"),
    FASTAPI: _uvicorn("fastapi_orm"),
}


SOCKETS = _granian("sockets")


@dataclass
class Server:
    """A running server; ``ready_seconds`` from its start to its first good answer."""

    port: int
    main_pid: int
    ready_seconds: float

    @property
    def worker_pids(self) -> list[int]:
        """The processes below the main one that hold the app, the largest first."""
        found = [pid for pid in _processes() if self.main_pid in _ancestors(pid)]
        return sorted(found, key=resident_bytes, reverse=True)

    def cpu_seconds(self) -> float:
        """Processor time that the server and its workers have used so far."""
        return sum(_cpu_seconds(pid) for pid in (self.main_pid, *self.worker_pids))

    def worker_mib(self) -> float:
        """Resident memory of the process that answers."""
        return resident_bytes(next(iter(self.worker_pids), self.main_pid)) / 2**20


@contextmanager
def serving(
    command: Command, environ: dict[str, str], *, cwd: Path | None = None, ready: str = "/health"
) -> Iterator[Server]:
    """Runs a server on a free port, and waits for its first good answer on ``ready``."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    begin = time.perf_counter()
    process = subprocess.Popen(  # noqa: S603 - our own
        command(port), cwd=cwd, env={**os.environ, **environ}, stdout=subprocess.DEVNULL
    )
    try:
        _await_ready(process, port, ready)
        yield Server(port, process.pid, time.perf_counter() - begin)
    finally:
        process.terminate()
        process.wait(40)


def resident_bytes(pid: int) -> int:
    """Resident memory of a process; 0 when it is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
    except FileNotFoundError:
        return 0


def _await_ready(process: "subprocess.Popen[bytes]", port: int, path: str) -> None:
    deadline = time.perf_counter() + 60
    while time.perf_counter() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=2):
                return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.02)
    raise TimeoutError(f"the server did not become ready: {process.args!r}")


def _processes() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _ancestors(pid: int) -> list[int]:
    found: list[int] = []
    while pid > 1:
        try:
            pid = int(_stat(pid)[1])
        except FileNotFoundError:
            return found
        found.append(pid)
    return found


def _cpu_seconds(pid: int) -> float:
    try:
        stat = _stat(pid)
    except FileNotFoundError:
        return 0.0
    return (int(stat[11]) + int(stat[12])) / _TICK


def _stat(pid: int) -> list[str]:
    """The fields of ``/proc/pid/stat`` after the name, which may hold spaces."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
