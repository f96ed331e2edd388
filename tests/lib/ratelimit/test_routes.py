from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from litestar import Controller, Litestar, Request, Response, asgi, get, post
from litestar.datastructures import State
from litestar.response.base import ASGIResponse
from litestar.types import Receive, Scope, Send

from app.lib.errors import RateLimited
from app.lib.http.cors import CORS
from app.lib.http.shell import Shell
from app.lib.ratelimit.counters import MemoryCounters
from app.lib.ratelimit.general import GeneralLimit
from app.lib.ratelimit.limiter import Limit, RateLimiter
from app.lib.ratelimit.routes import ROUTE_LIMITS, RouteLimits, rate_limit, undefined_limits

pytestmark = pytest.mark.usefixtures("clock")


@post("/login", guards=[rate_limit("auth")], status_code=200)
async def login() -> str:
    return "in"


@post("/register", guards=[rate_limit("auth")])
async def register() -> str:
    return "new"


@get("/free")
async def free() -> str:
    return "free"


@get("/exports", guards=[rate_limit("exports"), rate_limit("auth")])
async def exports() -> str:
    return "data"


@asgi("/raw", copy_scope=True, guards=[rate_limit("raw")])
async def raw(scope: Scope, receive: Receive, send: Send) -> None:
    await ASGIResponse(body=b"raw")(scope, receive, send)


def as_problem(_: Request[object, object, State], error: RateLimited) -> Response[str]:
    return Response(error.code.value, status_code=error.status, headers=error.headers)


def make_app(*, enabled: bool = True) -> Litestar:
    limits = {"auth": Limit(2, 3600), "exports": Limit(1, 60)}
    registry = RouteLimits(RateLimiter(MemoryCounters(), enabled=enabled), limits)
    return Litestar(
        [login, register, free, exports],
        state=State({ROUTE_LIMITS: registry}),
        exception_handlers={RateLimited: as_problem},
        openapi_config=None,
    )


@asynccontextmanager
async def client_of(
    app: Litestar, *, enabled: bool = True, address: str = "203.0.113.9"
) -> AsyncIterator[httpx.AsyncClient]:
    limit = GeneralLimit(RateLimiter(MemoryCounters(), enabled=enabled), "600/minute")
    app.asgi_handler = Shell(app.asgi_handler, CORS(()), limit=limit)
    transport = httpx.ASGITransport(app, client=(address, 1))  # type: ignore[arg-type]  # httpx has looser ASGI types
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


async def test_a_route_limit_counts_next_to_the_general_one() -> None:
    async with client_of(make_app()) as client:
        answer = await client.post("/login")

    assert answer.status_code == 200
    assert answer.headers["RateLimit-Policy"] == '"default";q=600;w=60, "auth";q=2;w=3600'
    general, route = answer.headers["RateLimit"].split(", ")
    assert general.startswith('"default";r=599;t=')
    assert route.startswith('"auth";r=1;t=')


async def test_beyond_it_the_route_is_refused_with_all_headers() -> None:
    async with client_of(make_app()) as client:
        answers = [await client.post("/login") for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].text == "rate_limited"
    assert 1 <= int(answers[2].headers["Retry-After"]) <= 3600
    assert '"auth";r=0;t=' in answers[2].headers["RateLimit"]
    assert answers[2].headers.get_list("RateLimit-Policy") == ['"default";q=600;w=60, "auth";q=2;w=3600']


async def test_routes_with_one_limit_share_it_and_others_are_free() -> None:
    async with client_of(make_app()) as client:
        statuses = [(await client.post(path)).status_code for path in ("/login", "/register", "/login", "/register")]
        other = await client.get("/free")
        missing = await client.get("/nowhere")

    assert statuses == [200, 201, 429, 429]
    assert other.headers["RateLimit-Policy"] == '"default";q=600;w=60'
    assert missing.status_code == 404
    assert missing.headers["RateLimit-Policy"] == '"default";q=600;w=60'


async def test_a_route_may_have_several_limits() -> None:
    async with client_of(make_app()) as client:
        answers = [await client.get("/exports") for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 429]
    assert answers[0].headers["RateLimit-Policy"].endswith('"exports";q=1;w=60, "auth";q=2;w=3600')
    assert answers[1].headers["RateLimit-Policy"].endswith('"exports";q=1;w=60')


async def test_clients_do_not_share_a_route_limit() -> None:
    app = make_app()
    async with client_of(app) as client:
        await client.post("/login")
        await client.post("/login")
    async with client_of(app, address="203.0.113.10") as client:
        assert (await client.post("/login")).status_code == 200


async def test_switched_off_there_is_no_limit_and_no_header() -> None:
    async with client_of(make_app(enabled=False), enabled=False) as client:
        answers = [await client.post("/login") for _ in range(5)]

    assert {answer.status_code for answer in answers} == {200}
    assert "RateLimit" not in answers[0].headers
    assert "RateLimit-Policy" not in answers[0].headers


async def test_without_the_general_limit_a_route_is_limited_all_the_same() -> None:
    transport = httpx.ASGITransport(make_app())  # type: ignore[arg-type]  # httpx has looser ASGI types
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        statuses = [(await client.post("/login")).status_code for _ in range(3)]

    assert statuses == [200, 200, 429]


def test_an_undefined_limit_is_found_before_it_is_needed() -> None:
    class Grouped(Controller):
        guards = [rate_limit("group")]  # noqa: RUF012  # the framework's way

        @get("/grouped")
        async def grouped(self) -> str:
            return "group"

    app = Litestar([login, free, raw, Grouped], openapi_config=None)

    assert undefined_limits(app) == {"auth", "raw", "group"}
    assert undefined_limits(make_app()) == frozenset()
