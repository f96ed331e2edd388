"""What one address has open at the same time is bounded: slow bodies, streams and sockets together."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import pytest
from litestar import Litestar

from tests.domain.accounts.answers import ME, is_refused
from tests.support.apps import ADDRESS, Deployment, client_of
from tests.support.people import People
from tests.support.sockets import Refused, connected

pytestmark = pytest.mark.asvs("15.2.2")

ANOTHER = "203.0.113.99"


class SlowBody:
    """A request whose body never comes to its end."""

    def __init__(self, app: Litestar) -> None:
        self.asked = asyncio.Event()
        headers = [(b"host", b"testserver"), (b"content-type", b"application/json"), (b"content-length", b"50")]
        scope: dict[str, Any] = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http",
            "path": "/api/v1/auth/register", "raw_path": b"/api/v1/auth/register", "query_string": b"", "root_path": "",
            "headers": headers, "client": (ADDRESS, 1), "server": ("testserver", 80), "state": {},
        }  # fmt: skip
        asgi: Any = app
        self.task = asyncio.create_task(asgi(scope, self._receive, self._send))

    async def _receive(self) -> dict[str, Any]:
        self.asked.set()
        await asyncio.Event().wait()
        raise AssertionError

    async def _send(self, _message: object) -> None:
        """The answer does not matter."""


async def test_an_address_has_a_bound_and_others_are_served(deployment: Deployment) -> None:
    app = await deployment.start(MAX_OPEN_PER_ADDRESS="3")
    person = await People(app).create()
    async with client_of(app, headers=person.headers) as calls, client_of(app, address=ANOTHER) as others:
        async with AsyncExitStack() as stack:
            for _ in range(2):
                await stack.enter_async_context(connected(app, token=person.access_token))
            slow = SlowBody(app)
            await slow.asked.wait()

            refused = await calls.get(ME)
            is_refused(refused, 429, "rate_limited")
            assert refused.headers["retry-after"] == "1"
            assert "ratelimit" in refused.headers
            with pytest.raises(Refused) as handshake:
                await stack.enter_async_context(connected(app, token=person.access_token))
            assert handshake.value.status == 429
            assert (await calls.get("/health")).status_code == 200
            assert (await others.get(ME, headers=person.headers)).status_code == 200

            slow.task.cancel()
            await asyncio.wait({slow.task})
            assert (await calls.get(ME)).status_code == 200
        assert (await calls.get(ME)).status_code == 200
