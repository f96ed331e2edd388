"""Many connections at once against the real server, on both databases."""

from collections.abc import Iterator
from contextlib import ExitStack
from socket import create_connection

import httpx
import pytest

from app.lib.db.url import DatabaseURL
from tests.support.databases import own_database
from tests.support.load import statuses_of
from tests.support.processes import Server, app_command, free_port

PASSWORD = "a fine day to sail"
CONNECTIONS = 500
SECONDS = 0.2
IDLE = 1_200
"""More than any limit that was meant for requests."""


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """``app serve`` with two workers, on a database of its own."""
    with own_database(request) as url:
        port = free_port()
        environ = _environ(url)
        command = app_command("serve", "--port", str(port), "--workers", "2")
        with Server(command, tmp_path_factory.mktemp("served"), port, environ) as server:
            server.until_it_answers("/health/ready")
            yield server
            assert server.end() == 0


def _environ(url: DatabaseURL) -> dict[str, str]:
    return {
        "DATABASE_URL": url.url.render_as_string(hide_password=False),
        "SECRET_KEY": "a-key-that-is-only-for-tests-0123456789",
        "RATE_LIMIT_ENABLED": "false",
        "LOG_LEVEL": "error",
    }


@pytest.fixture(scope="module")
def token(server: Server) -> str:
    """Of a person who registered and signed in."""
    api = f"http://127.0.0.1:{server.port}/api/v1"
    person = {"email": "ada@example.com", "password": PASSWORD}
    assert httpx.post(f"{api}/auth/register", json=person).status_code == 201
    answer = httpx.post(f"{api}/auth/login", data={"username": person["email"], "password": PASSWORD})
    return str(answer.json()["access_token"])


@pytest.mark.parametrize("path", ["/health", "/api/v1/users/me"])
async def test_many_connections_see_no_error(server: Server, token: str, path: str) -> None:
    headers = {"Authorization": f"Bearer {token}"}

    seen = await statuses_of(server.port, path, headers, connections=CONNECTIONS, seconds=SECONDS)

    assert set(seen) == {200}
    assert seen.total() >= CONNECTIONS


def test_idle_connections_keep_no_one_out(server: Server, token: str) -> None:
    """They are kept for longer than proxies and clients keep theirs, so there are many of them."""
    with ExitStack() as idle:
        for _ in range(IDLE):
            connection = idle.enter_context(create_connection(("127.0.0.1", server.port), timeout=30))
            connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert connection.recv(16).startswith(b"HTTP/1.1 200")

        answer = httpx.get(
            f"http://127.0.0.1:{server.port}/api/v1/users/me", headers={"Authorization": f"Bearer {token}"}, timeout=30
        )

    assert answer.status_code == 200
