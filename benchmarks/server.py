"""The real server, as an operator starts it, and what it costs."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass
class Server:
    """A running server; ``ready_seconds`` from its start to its first ready answer."""

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


@contextmanager
def serving(
    environ: dict[str, str], *, workers: int = 1, app: Path | None = None, cwd: Path | None = None
) -> Iterator[Server]:
    """Runs ``app serve`` on a free port: of this checkout, or of another one."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    begin = time.perf_counter()
    command = [
        str(app or Path(sys.executable).with_name("app")),
        "serve",
        "--port",
        str(port),
        "--workers",
        str(workers),
    ]
    env = {**os.environ, **environ}
    process = subprocess.Popen(command, cwd=cwd, env=env, stdout=subprocess.DEVNULL)  # noqa: S603 - our own
    try:
        _await_ready(port)
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


def _await_ready(port: int) -> None:
    deadline = time.perf_counter() + 60
    while time.perf_counter() < deadline:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=2):
                return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.02)
    raise TimeoutError("the server did not become ready")


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
