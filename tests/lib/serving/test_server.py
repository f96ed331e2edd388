"""The server, in real processes, under real signals."""

import os
import signal
import socket
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from app.lib.serving.server import IMPATIENCE
from tests.lib.serving.conftest import StartToy
from tests.support.processes import Server, until_gone


def pids(server: Server, word: str) -> set[int]:
    """The ids in the toy's lines ``word PID``."""
    lines = [line.split() for line in server.output.splitlines()]
    return {int(line[1]) for line in lines if len(line) == 2 and line[0] == word}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_cleanly(start_toy: StartToy, number: signal.Signals) -> None:
    """SIGINT as well, as the test of changed code shows. SIGHUP means that the terminal was closed."""
    server = start_toy(workers=2)
    server.until_it_answers("/")
    server.until(lambda: len(pids(server, "started")) == 2)
    workers = server.workers()

    assert server.end(number) == 0
    until_gone(workers)
    assert pids(server, "ended") == workers
    assert server.errors == ""


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET / HT",
        b"GET / HTTP/1.1\r\nHost: a\r\n",
        b"PRI * HTTP/2.0\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01",
    ],
)
def test_a_connection_without_a_request_is_ended(start_toy: StartToy, sent: bytes) -> None:
    server = start_toy(TOY_HEADER_SECONDS="0.5")
    server.until_it_answers("/")

    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall(sent)
        while connection.recv(1000):
            pass


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_to_the_whole_process_group_is_no_crash(start_toy: StartToy, number: signal.Signals) -> None:
    """Terminals and service managers signal the workers as well as the main process."""
    server = start_toy(workers=2)
    server.until(lambda: len(pids(server, "started")) == 2)

    os.killpg(server.process.pid, number)

    assert server.process.wait(60) == 0
    assert "Unexpected exit" not in server.output
    assert server.errors == ""


def test_a_worker_that_is_still_loading_ends_at_once(start_toy: StartToy) -> None:
    server = start_toy(workers=2, TOY_LOAD_SECONDS="20")
    server.until(lambda: len(pids(server, "loading")) == 2)

    assert server.end(signal.SIGTERM) == 0
    assert pids(server, "started") == set()
    assert "refused to gracefully stop" not in server.output


def test_workers_are_replaced_after_a_kill_and_do_not_outlive_the_server(start_toy: StartToy) -> None:
    server = start_toy(workers=2)
    server.until(lambda: len(pids(server, "started")) == 2)
    killed, kept = sorted(server.workers())

    os.kill(killed, signal.SIGKILL)

    server.until(lambda: len(pids(server, "started")) == 3)
    before = server.workers()
    assert kept in before
    assert killed not in before
    server.until_it_answers("/")

    server.until(lambda: len(server.workers()) == 2)
    workers = server.workers()

    server.end(signal.SIGKILL)

    until_gone(workers)


def test_workers_that_never_start_end_the_server(start_toy: StartToy) -> None:
    server = start_toy(TOY_BROKEN="yes")

    assert server.process.wait(60) == 1
    assert "RuntimeError: the toy is broken" in server.errors


def test_it_drains_before_it_stops_listening(start_toy: StartToy) -> None:
    server = start_toy(workers=2, drain_seconds=4.0)
    server.until(lambda: len(pids(server, "started")) == 2)
    streamed: list[str] = []
    streams = [threading.Thread(target=lambda: streamed.append(server.get("/stream").text)) for _ in range(4)]
    for stream in streams:
        stream.start()
    server.until(lambda: len(pids(server, "streaming")) >= 1)
    assert server.get("/").text.endswith("open")

    server.tell(signal.SIGTERM)

    for stream in streams:
        stream.join()
    assert all(text.endswith("draining") for text in streamed)
    assert server.get("/").text.endswith("draining")  # a new connection, so it still listens
    assert server.process.wait(60) == 0
    assert '"draining"' in server.output


def test_requests_that_are_being_answered_are_finished(start_toy: StartToy) -> None:
    server = start_toy()
    server.until_it_answers("/")
    answers: list[httpx.Response] = []
    request = threading.Thread(target=lambda: answers.append(server.get("/?seconds=1")))
    request.start()
    server.until(lambda: "waiting" in server.output)

    assert server.end(signal.SIGTERM) == 0

    request.join()
    assert answers[0].status_code == 200


def test_another_ctrl_c_does_not_wait_for_requests(start_toy: StartToy) -> None:
    server = start_toy()
    server.until_it_answers("/")
    cut: list[Exception] = []

    def ask() -> None:
        try:
            server.get("/?seconds=50")
        except httpx.TransportError as exc:
            cut.append(exc)

    request = threading.Thread(target=ask)
    request.start()
    server.until(lambda: "waiting" in server.output)
    server.tell(signal.SIGINT)
    time.sleep(IMPATIENCE + 0.5)

    assert server.process.poll() is None
    assert server.end(signal.SIGINT) == 0
    request.join()
    assert len(cut) == 1


def test_changed_code_is_loaded_and_broken_code_is_survived(start_toy: StartToy, tmp_path: Path) -> None:
    server = start_toy(reload=True)
    server.until_it_answers("/")
    toy = tmp_path / "code" / "toy_app.py"
    good = toy.read_text()

    toy.write_text(good.replace('"open"', '"changed"').replace("'open'", "'changed'"))
    server.until(lambda: server.answers("/", "changed"))

    toy.write_text("this is no Python")
    server.until(lambda: "SyntaxError" in server.errors)
    toy.write_text(good)
    server.until(lambda: server.answers("/", "open"))

    workers = server.workers()
    assert server.end(signal.SIGINT) == 0
    until_gone(workers)


@pytest.mark.skipif(sys.platform != "linux", reason="needs the list of open files of Linux")
def test_an_address_has_a_bounded_number_of_connections(start_toy: StartToy) -> None:
    server = start_toy(TOY_CONNECTIONS="5")
    server.until_it_answers("/")

    with ExitStack() as stack:
        opened = [stack.enter_context(socket.create_connection(("127.0.0.1", server.port), 30)) for _ in range(12)]
        for each in opened:
            each.setblocking(False)
        server.until(lambda: sum(map(is_open, opened)) <= 5)
        left = [each for each in opened if is_open(each)]
        assert len(left) >= 4  # the probe of the test may have taken a place
        for each in left:
            each.setblocking(True)
            each.sendall(b"GET / HTTP/1.1\r\nHost: toy\r\n\r\n")
            assert each.recv(100).startswith(b"HTTP/1.1 200")


@pytest.mark.skipif(sys.platform != "linux", reason="needs the list of open files of Linux")
def test_a_client_that_does_not_read_is_cut_off(start_toy: StartToy) -> None:
    server = start_toy(TOY_UNREAD_SECONDS="2")
    server.until_it_answers("/")

    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", server.port))
        connection.sendall(b"GET /large HTTP/1.1\r\nHost: toy\r\n\r\n")
        port = connection.getsockname()[1]
        server.until(lambda: has_connection(server.port, port))
        server.until(lambda: not has_connection(server.port, port))


def has_connection(port: int, peer_port: int) -> bool:
    """Whether this end of a TCP connection is there."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return any((f":{port:04X}", f":{peer_port:04X}") == (line[1][-5:], line[2][-5:]) for line in lines)


def is_open(connection: socket.socket) -> bool:
    try:
        return connection.recv(1, socket.MSG_PEEK) != b""
    except BlockingIOError:
        return True
    except ConnectionError:
        return False
