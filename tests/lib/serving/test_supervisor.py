"""Reloading: a server takes the place of another one, and the clients do not notice."""

import http.client
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import pytest

from tests.lib.serving.conftest import StartToy
from tests.support.processes import Server, is_alive, until_gone

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a worker cannot stop accepting")


class Client(threading.Thread):
    """Sends requests all the time; ``kept`` on one connection as long as the server keeps it."""

    def __init__(self, server: Server, *, kept: bool) -> None:
        super().__init__(daemon=True)
        self.kept, self.answers, self.failures = kept, list[str](), list[Exception]()
        self._connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        self._is_over = False
        self.start()

    def run(self) -> None:
        while not self._is_over:
            try:
                self._connection.request("GET", "/")
                self.answers.append(self._connection.getresponse().read().decode())
            except (OSError, http.client.HTTPException) as exc:
                self.failures.append(exc)
                time.sleep(0.01)
            if not self.kept:
                self._connection.close()

    def end(self) -> None:
        self._is_over = True
        self.join()
        self._connection.close()


@contextmanager
def busy_clients(server: Server) -> Iterator[None]:
    """Asks all the time, and fails when one request of all did."""
    clients = [Client(server, kept=kept) for kept in (True, False, False)]
    try:
        yield
    finally:
        for client in clients:
            client.end()
    assert [failure for client in clients for failure in client.failures] == []
    assert all(client.answers for client in clients)


def change(server: Server, old: str, new: str) -> None:
    """Edits the toy's code."""
    toy = server.folder / "code" / "toy_app.py"
    toy.write_text(toy.read_text().replace(old, new))


def in_background(action: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=action)
    thread.start()
    return thread


@pytest.mark.parametrize("workers", [1, 2])
def test_new_code_serves_after_a_hangup_and_no_request_is_lost(start_toy: StartToy, workers: int) -> None:
    server = start_toy(workers=workers, TOY_SUPERVISED="yes")
    server.until_it_answers("/")
    before = server.workers()
    late: list[str] = []

    with busy_clients(server):
        slow = in_background(lambda: late.append(server.get("/?seconds=3").text))
        stream = in_background(lambda: late.append(server.get("/stream").text))
        server.until(lambda: "waiting" in server.output and "streaming" in server.output)
        change(server, "'open'", "'the new one'")
        server.tell(signal.SIGHUP)
        server.until(lambda: server.answers("/", "the new one"))
        stream.join()  # it ends once the former server takes no connections
        opened = [http.client.HTTPConnection("127.0.0.1", server.port, timeout=60) for _ in range(8)]
        for each in opened:
            each.connect()
        slow.join()
        until_gone(before)
        for each in opened:
            each.request("GET", "/")
            assert each.getresponse().read().decode().endswith("new one")
            each.close()
        for number in (1, 2):
            change(server, "new one", "very new one")
            server.tell(signal.SIGHUP)
            server.until(partial(server.answers, "/", "very " * number))

    assert len(late) == 2
    assert all(int(text.split()[0]) in before for text in late)
    assert server.output.count('"reload.done"') == 3
    assert "Killing" not in server.output
    assert server.errors == ""
    server.until(lambda: len(server.workers()) == workers)
    workers_now = server.workers()
    assert server.end(signal.SIGTERM) == 0
    until_gone(workers_now)


def test_a_version_that_does_not_start_leaves_the_former_one_serving(start_toy: StartToy) -> None:
    server = start_toy(workers=2, TOY_SUPERVISED="yes")
    server.until_it_answers("/")
    server.until(lambda: len(server.workers()) == 2)
    before = server.workers()

    with busy_clients(server):
        change(server, "import asyncio", "import asyncio, no_such_module")
        server.tell(signal.SIGHUP)
        server.until(lambda: '"reload.failed"' in server.output)
        assert "No module named 'no_such_module'" in server.errors
        assert server.workers() == before

        change(server, "import asyncio, no_such_module", "import asyncio")
        change(server, "startup.complete", "startup.failed")
        server.tell(signal.SIGHUP)  # this one fails once its workers run
        server.until(lambda: server.output.count('"reload.failed"') == 2)
        assert server.workers() == before

        change(server, "startup.failed", "startup.complete")
        server.tell(signal.SIGHUP)
        server.tell(signal.SIGHUP)
        server.until(lambda: '"reload.done"' in server.output)

    until_gone(before)
    assert server.end(signal.SIGTERM) == 0


def test_a_hangup_during_the_start_is_not_forgotten(start_toy: StartToy) -> None:
    server = start_toy(TOY_SUPERVISED="yes", TOY_LOAD_SECONDS="1")
    server.until(lambda: "loading" in server.output)

    change(server, "'open'", "'the new one'")
    server.tell(signal.SIGHUP)

    server.until(lambda: server.answers("/", "the new one"))
    assert server.end(signal.SIGINT) == 0


def test_nothing_outlives_a_killed_supervisor_and_it_does_not_outlive_its_server(start_toy: StartToy) -> None:
    server = start_toy(workers=2, TOY_SUPERVISED="yes")
    server.until_it_answers("/")
    workers = server.workers()

    server.end(signal.SIGKILL)

    until_gone(workers)


def test_the_exit_code_is_that_of_the_server(start_toy: StartToy) -> None:
    server = start_toy(TOY_SUPERVISED="yes", TOY_BROKEN="yes")

    assert server.process.wait(60) == 1
    assert "RuntimeError: the toy is broken" in server.errors


def test_no_connection_waits_at_a_server_that_ends(start_toy: StartToy) -> None:
    """A request is being answered, and the listening sockets are closed all the same, in each process."""
    server = start_toy(workers=2, TOY_SUPERVISED="yes")
    server.until_it_answers("/")
    answers: list[str] = []
    slow = in_background(lambda: answers.append(server.get("/?seconds=5").text))
    server.until(lambda: "waiting" in server.output)

    server.tell(signal.SIGTERM)

    server.until(lambda: not server.answers("/"))
    assert answers == []
    assert is_alive(server.process.pid)
    slow.join()
    assert len(answers) == 1
    assert server.process.wait(60) == 0
