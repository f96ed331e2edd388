from typing import Any, cast

import pytest
from litestar.types import Scope

from app.lib.errors import RateLimited
from app.lib.ratelimit.counters import MemoryCounters
from app.lib.ratelimit.general import PROBES, VERDICTS, GeneralLimit
from app.lib.ratelimit.limiter import Limit, NamedLimit, RateLimiter, Verdict

pytestmark = pytest.mark.usefixtures("clock")

TWO = "2 per hour"


def limited(*, enabled: bool = True) -> GeneralLimit:
    return GeneralLimit(RateLimiter(MemoryCounters(), enabled=enabled), TWO)


async def call(limit: GeneralLimit, path: str = "/x", client: object = ("203.0.113.9", 1), **fields: object) -> Scope:
    scope = cast("Scope", {"type": "http", "path": path, "client": client, "state": {}, **fields})
    await limit.enter(scope)
    return scope


async def is_refused(limit: GeneralLimit, client: object, type_: str = "http") -> bool:
    try:
        await call(limit, client=client, type=type_)
    except RateLimited:
        return True
    return False


def header(limit: GeneralLimit, scope: Any, name: bytes) -> bytes | None:
    return dict(limit.headers(scope)).get(name)


async def test_a_request_within_the_limit_gets_the_headers() -> None:
    limit = limited()
    scope = await call(limit)

    assert header(limit, scope, b"ratelimit-policy") == b'"default";q=2;w=3600'
    assert (header(limit, scope, b"ratelimit") or b"").startswith(b'"default";r=1;t=')


async def test_beyond_the_limit_it_raises_and_the_headers_say_so() -> None:
    limit = limited()
    for _ in range(2):
        await call(limit)
    scope: Any = {"type": "http", "path": "/x", "client": ("203.0.113.9", 1), "state": {}}
    with pytest.raises(RateLimited) as refused:
        await limit.enter(scope)

    assert 1 <= int(refused.value.headers["Retry-After"]) <= 3600
    assert header(limit, scope, b"ratelimit-policy") == b'"default";q=2;w=3600'
    assert (header(limit, scope, b"ratelimit") or b"").startswith(b'"default";r=0;t=')


async def test_clients_are_distinguished_by_what_one_client_holds() -> None:
    limit = limited()
    one_client = [("2001:db8::1", 1), ("2001:db8::2", 2), ("2001:db8::3", "3")]
    other = [("2001:db8:0:1::1", 1), ("203.0.113.9", 1)]
    unknown: list[object] = [None, ("", 0), ("unix", 0)]

    assert [await is_refused(limit, client) for client in one_client] == [False, False, True]
    assert [await is_refused(limit, client) for client in other] == [False, False]
    assert [await is_refused(limit, client) for client in unknown] == [False, False, True]


@pytest.mark.parametrize("path", sorted(PROBES))
async def test_probes_are_never_limited(path: str) -> None:
    limit = limited()
    for _ in range(5):
        scope = await call(limit, path)
        assert limit.headers(scope) == []


async def test_a_handshake_counts() -> None:
    limit = limited()

    assert [await is_refused(limit, ("203.0.113.9", 1), "websocket") for _ in range(3)] == [False, False, True]


async def test_switched_off_it_is_not_there() -> None:
    limit = limited(enabled=False)
    for _ in range(5):
        assert limit.headers(await call(limit)) == []


async def test_inner_limits_add_theirs_after_the_general_one() -> None:
    limit = limited()
    scope = await call(limit)
    auth = NamedLimit("auth", Limit(30, 60))
    scope["state"][VERDICTS].append(Verdict(auth, allowed=True, remaining=29, reset_after_seconds=60))

    assert header(limit, scope, b"ratelimit-policy") == b'"default";q=2;w=3600, "auth";q=30;w=60'
    assert (header(limit, scope, b"ratelimit") or b"").endswith(b', "auth";r=29;t=60')
