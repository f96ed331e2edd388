from typing import Any, cast

import pytest
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from app.lib.errors import RateLimited
from app.lib.ratelimit.counters import MemoryCounters
from app.lib.ratelimit.general import PROBES, VERDICTS, GeneralLimit
from app.lib.ratelimit.limiter import Limit, NamedLimit, RateLimiter, Verdict

pytestmark = pytest.mark.usefixtures("clock")

TWO = NamedLimit("default", Limit(2, 3600))
Sent = list[dict[str, Any]]


async def not_found(scope: Scope, receive: Receive, send: Send) -> None:
    headers = ((b"content-type", b"text/plain"),)
    await send({"type": "http.response.start", "status": 404, "headers": headers})
    await send({"type": "http.response.body", "body": b"nothing here", "more_body": False})


async def refuse(scope: Scope, send: Send, error: RateLimited) -> None:
    headers = [(name.lower().encode(), value.encode()) for name, value in error.headers.items()]
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": error.code.value.encode(), "more_body": False})


def limited(app: ASGIApp = not_found, *, enabled: bool = True) -> GeneralLimit:
    return GeneralLimit(app, RateLimiter(MemoryCounters(), enabled=enabled), TWO, on_refused=refuse)


async def call(app: ASGIApp, path: str = "/x", client: object = ("203.0.113.9", 1), **fields: object) -> Sent:
    sent: Sent = []

    async def receive() -> Any:
        raise AssertionError("no handler reads the body")

    async def send(message: Message) -> None:
        sent.append(dict(message))

    await app(cast("Scope", {"type": "http", "path": path, "client": client, **fields}), receive, send)
    return sent


def header(sent: Sent, name: bytes) -> bytes | None:
    return dict(sent[0]["headers"]).get(name)


async def test_every_answer_carries_the_headers_and_its_own() -> None:
    sent = await call(limited())

    assert sent[0]["status"] == 404
    assert header(sent, b"content-type") == b"text/plain"
    assert header(sent, b"ratelimit-policy") == b'"default";q=2;w=3600'
    state = header(sent, b"ratelimit")
    assert state is not None
    assert state.startswith(b'"default";r=1;t=')
    assert sent[1] == {"type": "http.response.body", "body": b"nothing here", "more_body": False}


async def test_beyond_the_limit_the_application_is_not_asked() -> None:
    app = limited()
    statuses = [(await call(app))[0]["status"] for _ in range(3)]
    refused = await call(app)

    assert statuses == [404, 404, 429]
    assert refused[1]["body"] == b"rate_limited"
    assert 1 <= int(header(refused, b"retry-after") or 0) <= 3600
    assert header(refused, b"ratelimit-policy") == b'"default";q=2;w=3600'
    assert (header(refused, b"ratelimit") or b"").startswith(b'"default";r=0;t=')


async def test_clients_are_distinguished_by_what_one_client_holds() -> None:
    app = limited()
    one_client = [("2001:db8::1", 1), ("2001:db8::2", 2), ("2001:db8::3", "3")]
    other = [("2001:db8:0:1::1", 1), ("203.0.113.9", 1)]
    unknown: list[object] = [None, ("", 0), ("unix", 0)]

    assert [(await call(app, client=client))[0]["status"] for client in one_client] == [404, 404, 429]
    assert [(await call(app, client=client))[0]["status"] for client in other] == [404, 404]
    assert [(await call(app, client=client))[0]["status"] for client in unknown] == [404, 404, 429]


@pytest.mark.parametrize("path", sorted(PROBES))
async def test_probes_are_never_limited(path: str) -> None:
    app = limited()

    for _ in range(5):
        sent = await call(app, path)
        assert sent[0]["status"] == 404
        assert header(sent, b"ratelimit") is None


async def test_a_handshake_counts_and_is_refused_by_raising() -> None:
    seen: list[str] = []

    async def remember(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(cast("str", scope["type"]))

    app = GeneralLimit(remember, RateLimiter(MemoryCounters()), TWO, on_refused=refuse)
    for _ in range(2):
        await call(app, type="websocket")
    with pytest.raises(RateLimited):
        await call(app, type="websocket")

    assert seen == ["websocket"] * 2


async def test_nothing_else_is_counted() -> None:
    counters = MemoryCounters()
    seen: list[str] = []

    async def remember(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(cast("str", scope["type"]))

    app = GeneralLimit(remember, RateLimiter(counters), TWO, on_refused=refuse)
    for _ in range(5):
        await call(app, type="lifespan")

    assert seen == ["lifespan"] * 5
    assert len(counters) == 0


async def test_switched_off_it_is_not_there() -> None:
    app = limited(enabled=False)

    for _ in range(5):
        sent = await call(app)
        assert sent[0]["status"] == 404
        assert header(sent, b"ratelimit") is None


async def test_inner_limits_add_theirs_after_the_general_one() -> None:
    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        auth = NamedLimit("auth", Limit(30, 60))
        scope["state"][VERDICTS].append(Verdict(auth, allowed=True, remaining=29, reset_after_seconds=60))
        await not_found(scope, receive, send)

    sent = await call(limited(inner), state={"kept": True})

    assert header(sent, b"ratelimit-policy") == b'"default";q=2;w=3600, "auth";q=30;w=60'
    assert (header(sent, b"ratelimit") or b"").endswith(b', "auth";r=29;t=60')


async def test_a_header_list_that_the_application_reuses_stays_as_it_was() -> None:
    shared: list[tuple[bytes, bytes]] = [(b"a", b"b")]

    async def reusing(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": shared})

    sent = await call(limited(reusing))

    assert len(sent[0]["headers"]) == 3
    assert shared == [(b"a", b"b")]
