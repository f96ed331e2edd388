"""Runs README.md's run command as a stranger would: it must serve, end cleanly on Ctrl-C and leave the tree clean."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request

READY_WITHIN = 120.0  # seconds; covers the installation on a cold package cache
STOPPED_WITHIN = 40.0
CLEAN_ENDS = (0, 130, -signal.SIGINT)  # what a shell makes of an interrupt


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2):  # noqa: S310 - our own server; a refusal raises
            return True
    except OSError:
        return False


def wait_until_ready(server: subprocess.Popen[bytes], base: str) -> None:
    deadline = time.monotonic() + READY_WITHIN
    while not answers(f"{base}/health/ready"):
        if server.poll() is not None:
            sys.exit(f"the run command ended by itself with status {server.returncode}")
        if time.monotonic() > deadline:
            sys.exit(f"not ready within {READY_WITHIN:.0f} s")
        time.sleep(0.2)


def untracked_changes() -> str:
    status = ["git", "status", "--porcelain"]
    return subprocess.run(status, capture_output=True, text=True, check=True).stdout  # noqa: S603 - fixed words


def main(command: str) -> None:
    before = untracked_changes()
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    started = time.monotonic()
    shell = ["bash", "-euo", "pipefail", "-c", command]
    server = subprocess.Popen(shell, env={**os.environ, "PORT": str(port)}, start_new_session=True)  # noqa: S603 - README's
    try:
        wait_until_ready(server, base)
        sys.stderr.write(f"ready after {time.monotonic() - started:.1f} s\n")
        silent = [path for path in ("/health", "/docs", "/docs/openapi.json") if not answers(base + path)]
        os.killpg(server.pid, signal.SIGINT)  # as a terminal does on Ctrl-C
        server.wait(STOPPED_WITHIN)
    finally:
        if server.poll() is None:
            os.killpg(server.pid, signal.SIGKILL)
    if server.returncode not in CLEAN_ENDS:
        sys.exit(f"Ctrl-C ended it with status {server.returncode}")
    if silent:
        sys.exit(f"no answer at {silent}")
    if answers(f"{base}/health/live"):
        sys.exit("a process survived Ctrl-C")
    if (after := untracked_changes()) != before:
        sys.exit(f"the run command left the working tree dirty:\n{after}")


if __name__ == "__main__":
    main(sys.argv[1])
