"""The service behind the proxies, configured as in `deploy/`: REST, sockets, streams, bodies, paths and faults."""

import json
import signal
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.deploy.conftest import ADDRESS, KINDS, StartProxy, StartService
from tests.support.processes import Server, free_port

API = "/api/v1"
RESTARTING = 1012
PASSWORD = "correct horse battery"


class Visitor:
    """A client of the proxy, from an address of its own."""

    def __init__(self, certificate: Path, base_url: str) -> None:
        self.tls = ssl.create_default_context(cafile=certificate)
        self.base_url = base_url
        transport = httpx.HTTPTransport(verify=self.tls, local_address="127.0.0.2")
        self.client = httpx.Client(base_url=base_url, transport=transport, timeout=60)
        self.headers: dict[str, str] = {}

    def sign_up(self, email: str) -> httpx.Response:
        registered = self.client.post(
            f"{API}/auth/register", json={"email": email, "password": PASSWORD, "name": "Ada"}
        )
        signed_in = self.client.post(f"{API}/auth/login", data={"username": email, "password": PASSWORD})
        self.headers = {"Authorization": f"Bearer {signed_in.json()['access_token']}"}
        return registered

    def socket(self) -> ClientConnection:
        url = self.base_url.replace("https", "wss") + f"{API}/realtime"
        return connect(url, ssl=self.tls, additional_headers=self.headers, open_timeout=60)


@contextmanager
def asking(visitor: Visitor) -> Iterator[list[int]]:
    """Asks all the time; the statuses of the answers, 0 for none."""
    over, statuses = threading.Event(), list[int]()

    def ask() -> None:
        while not over.is_set():
            try:
                statuses.append(visitor.client.get("/health").status_code)
            except httpx.TransportError:
                statuses.append(0)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield statuses
    finally:
        over.set()
        thread.join()


@pytest.mark.parametrize("kind", KINDS)
def test_two_services_behind_a_proxy(
    kind: str, start_service: StartService, start_proxy: StartProxy, certificate: Path
) -> None:
    port = free_port()
    public_url = f"{ADDRESS}:{port}"
    services = [start_service(name, public_url) for name in ("one", "two")]
    proxy = start_proxy(kind, port, [each.port for each in services])
    visitor = Visitor(certificate, public_url)
    with visitor.client:
        proxy.until(lambda: is_up(visitor))
        rest(visitor, services)
        stream_and_socket(visitor)
        large_bodies(visitor)
        reload(visitor, services)
        one_is_killed(visitor, services)


def is_up(visitor: Visitor) -> bool:
    try:
        return visitor.client.get("/health").is_success
    except httpx.TransportError:
        return False


def rest(visitor: Visitor, services: list[Server]) -> None:
    for number in range(8):
        assert visitor.client.get("/health", headers={"X-Request-ID": f"order-{number:04}"}).is_success
    forged = {"X-Forwarded-For": "203.0.113.9", "X-Request-ID": "the-clients-own"}
    answer = visitor.client.get("/health", headers=forged)
    assert answer.headers["X-Request-ID"] == "the-clients-own"
    written = "".join(each.output for each in services)
    [line] = [json.loads(line) for line in written.splitlines() if '"the-clients-own"' in line]
    assert line["client"] == "127.0.0.2"
    assert len(visitor.client.get("/health", headers={"X-Request-ID": "{bad}"}).headers["X-Request-ID"]) >= 32
    assert all("order-0" in each.output for each in services), "both get requests"

    registered = visitor.sign_up("ada@example.com")
    assert registered.status_code == 201
    assert visitor.client.get(f"{API}/users/me", headers=visitor.headers).json()["email"] == "ada@example.com"


def stream_and_socket(visitor: Visitor) -> None:
    """What is sent arrives at once, while the answer is not over."""
    parameters = {"channels": "posts"}
    with visitor.client.stream("GET", f"{API}/realtime/events", params=parameters, headers=visitor.headers) as stream:
        assert stream.headers["Content-Type"].startswith("text/event-stream")
        assert next(stream.iter_lines())
    with visitor.socket() as socket:
        socket.send(json.dumps({"type": "ping", "ref": "4"}))
        while json.loads(socket.recv(60)) != {"type": "pong", "ref": "4"}:
            pass


def large_bodies(visitor: Visitor) -> None:
    post = {"title": "Long", "content": "ä" * 100_000}
    created = visitor.client.post(f"{API}/posts", json=post, headers=visitor.headers)
    assert created.status_code == 201, created.text
    read = visitor.client.get(created.headers["Location"], headers=visitor.headers)
    assert read.json()["content"] == post["content"]
    post["content"] = "a" * 2_500_000
    for _ in range(8):
        refused = visitor.client.post(f"{API}/posts", json=post, headers=visitor.headers)
        assert refused.status_code == 413
        assert refused.json()["code"] == "payload_too_large"
        assert visitor.client.get("/health").is_success, "nothing is turned away for it"


def reload(visitor: Visitor, services: list[Server]) -> None:
    """Both at the same time: no request is lost, and sockets are closed with 1012."""
    before = {each: each.workers() for each in services}
    with visitor.socket() as socket, asking(visitor) as statuses:
        for each in services:
            each.tell(signal.SIGHUP)
        for each in services:
            each.until(partial(is_replaced, each, before[each]))
        assert close_code(socket) == RESTARTING
    assert set(statuses) == {200}


def is_replaced(service: Server, workers: set[int]) -> bool:
    return '"reload.done"' in service.output and not service.workers() & workers


def close_code(socket: ClientConnection) -> int | None:
    with suppress(ConnectionClosed):
        while True:
            socket.recv(60)
    return socket.close_code


def one_is_killed(visitor: Visitor, services: list[Server]) -> None:
    killed, other = services
    killed.kill()
    answers = [visitor.client.get("/health").status_code for _ in range(20)]
    assert answers == [200] * 20
    created = visitor.client.post(f"{API}/posts", json={"title": "On", "content": "."}, headers=visitor.headers)
    assert created.status_code == 201
    assert '"POST"' in other.output


PASSED_ON = {"nginx": {"location / {": "location /team/ {"}, "caddy": {"handle /* {": "handle /team/* {"}}
TAKEN_OFF = {
    "nginx": {**PASSED_ON["nginx"], "proxy_pass http://lodestar;": "proxy_pass http://lodestar/;"},
    "caddy": {"handle /* {": "handle_path /team/* {"},
}


def test_below_a_path(start_service: StartService, start_proxy: StartProxy, certificate: Path) -> None:
    service = start_service("one", f"{ADDRESS}/team")
    for kind, changes in [(kind, each[kind]) for kind in KINDS for each in (PASSED_ON, TAKEN_OFF)]:
        port = free_port()
        proxy = start_proxy(kind, port, [service.port, free_port()], changes)
        visitor = Visitor(certificate, f"{ADDRESS}:{port}/team")
        with visitor.client:
            proxy.until(partial(is_up, visitor))
            links_lead_below_the_path(visitor, f"{port}@example.com")
            outside = visitor.client.get(f"{ADDRESS}:{port}/health")
            assert outside.content == b"" if kind == "caddy" else outside.status_code == 404


def links_lead_below_the_path(visitor: Visitor, email: str) -> None:
    assert visitor.sign_up(email).headers["Location"].startswith("/team/api/v1/")
    assert visitor.client.get("/docs").is_success
    assert "/team/docs" in visitor.client.get("/").text
    with visitor.socket() as socket:
        socket.send(json.dumps({"type": "ping", "ref": "4"}))
        assert socket.recv(60)
