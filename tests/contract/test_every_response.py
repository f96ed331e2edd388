"""What every response of the app carries, for all requests and all outcomes."""

import re
from uuid import UUID

import httpx
import pytest
from litestar import Litestar

from app.lib.db.url import DatabaseURL
from app.lib.security.policies import Authenticated
from tests.contract.routes import operations
from tests.support.apps import client_of, running_app
from tests.support.people import Person

JSON_POLICY = "default-src 'none'; frame-ancestors 'none'"
STREAM = "/api/v1/realtime/events"
"""Has no end, but for those who do not say what they want to hear."""
RATE_LIMITED = {"ratelimit-policy", "ratelimit"}


def check(response: httpx.Response) -> None:
    headers = response.headers
    assert headers.get_list("x-content-type-options") == ["nosniff"]
    assert headers.get_list("referrer-policy") == ["no-referrer"]
    assert headers.get_list("server") == [""]
    assert len(headers.get_list("content-security-policy")) == 1
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert len(headers.get_list("cache-control")) == 1
    assert UUID(headers["x-request-id"]).version == 7
    assert re.fullmatch(r"\d+\.\d{6}", headers["x-process-time"])
    if headers.get("content-type", "").endswith("json"):
        assert headers["content-security-policy"] == JSON_POLICY
    if response.request.url.path.startswith("/api/v1/auth/"):
        assert headers["cache-control"] == "no-store"
    if response.status_code == 401:
        assert headers["www-authenticate"].startswith("Bearer")


@pytest.mark.asvs("3.4.3", "3.4.4", "3.4.5", "3.4.6", "13.4.6", "14.3.2")
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE"])
async def test_anonymous_answers(unlimited_app: Litestar, anonymous: httpx.AsyncClient, method: str) -> None:
    statuses: set[int] = set()
    for url in {each.url() for each in operations(unlimited_app)} | {"/nowhere", "/api/v1/auth/nowhere"}:
        response = await anonymous.request(method, url)
        check(response)
        statuses.add(response.status_code)

    assert 404 in statuses
    assert statuses & ({204} if method == "OPTIONS" else {405})


async def test_signed_in_answers(unlimited_app: Litestar, as_boss: httpx.AsyncClient, boss: Person) -> None:
    for each in operations(unlimited_app):
        if each.method == "GET":
            response = await as_boss.get(each.url(user_id=str(boss.id)))
            check(response)
            exists = {*re.findall(r"\{(\w+)", each.path)} <= {"user_id"}
            wanted = 422 if each.path == STREAM else 200 if exists else 404
            hint = "where its query needs a parameter, add it to QUERIES in tests/contract/routes.py"
            assert response.status_code == wanted, f"GET {each.path}: {hint}"


async def test_head_is_get_without_a_body(unlimited_app: Litestar, as_boss: httpx.AsyncClient, boss: Person) -> None:
    for each in operations(unlimited_app):
        if each.method == "GET" and each.path not in {"/metrics", STREAM}:  # one changes all the time, one has no HEAD
            url = each.url(user_id=str(boss.id))
            get, head = await as_boss.get(url), await as_boss.head(url)
            assert head.content == b""
            assert head.status_code == get.status_code
            assert _comparable(head) == _comparable(get), url


def _comparable(response: httpx.Response) -> list[tuple[str, str]]:
    return [pair for pair in response.headers.multi_items() if pair[0] not in {"x-request-id", "x-process-time"}]


async def test_head_needs_the_credentials_of_get(unlimited_app: Litestar, anonymous: httpx.AsyncClient) -> None:
    for each in operations(unlimited_app):
        if each.method == "GET" and isinstance(each.policy, Authenticated) and each.path != STREAM:
            assert (await anonymous.head(each.url())).status_code == 401


async def test_options_needs_no_credentials_and_reads_none(unlimited_app: Litestar) -> None:
    async with client_of(unlimited_app, headers={"Authorization": "Bearer nonsense"}) as client:
        for each in operations(unlimited_app):
            assert (await client.options(each.url())).status_code == 204


@pytest.mark.parametrize(
    ("method", "path", "options", "status"),
    [
        ("GET", "/health", {}, 200),
        ("GET", "/api/v1/nowhere", {}, 404),
        ("PUT", "/health", {}, 405),
        ("GET", "/api/v1/users/me", {}, 401),
        ("GET", "/api/v1/users/me", {"headers": {"Authorization": "Bearer x"}}, 401),
        ("GET", "/health", {"headers": {"Accept": "text/html"}}, 406),
        ("POST", "/api/v1/auth/login", {"json": {"password": "x" * 2_000_000}}, 413),
        ("POST", "/api/v1/auth/login", {"content": b"x"}, 415),
        ("POST", "/api/v1/auth/login", {}, 422),
        ("GET", "/api/v1/profiles/0193a3c4-5b6d-7e8f-9a0b-1c2d3e4f5a6b?unknown=1", {}, 400),
        ("GET", "/health", {"headers": {"X-Big": "x" * 40_000}}, 431),
    ],
)
async def test_each_kind_of_refusal(
    app: Litestar, client: httpx.AsyncClient, method: str, path: str, options: dict[str, object], status: int
) -> None:
    response = await client.request(method, path, **options)  # type: ignore[arg-type]  # keywords of httpx by name

    assert response.status_code == status
    check(response)
    limited = not path.startswith("/health") and status != 431
    assert set(response.headers) >= RATE_LIMITED if limited else not RATE_LIMITED & set(response.headers)


@pytest.mark.usefixtures("clock")
async def test_too_many_requests(database_url: DatabaseURL) -> None:
    async with (
        running_app(database_url, RATE_LIMIT_DEFAULT="2/minute", CORS_ORIGINS="https://app.example.com") as app,
        client_of(app, headers={"Origin": "https://app.example.com"}) as client,
    ):
        replies = [await client.get("/nowhere") for _ in range(3)]
        probe = await client.get("/health")

    assert [reply.status_code for reply in replies] == [404, 404, 429]
    for reply in replies:
        check(reply)
        assert set(reply.headers) >= RATE_LIMITED
        assert reply.headers["access-control-allow-origin"] == "https://app.example.com"
    assert replies[2].json()["code"] == "rate_limited"
    assert int(replies[2].headers["retry-after"]) >= 1
    assert probe.status_code == 200


@pytest.mark.asvs("3.4.1")
async def test_production_is_reached_over_tls(database_url: DatabaseURL) -> None:
    async with (
        running_app(
            database_url,
            ENVIRONMENT="production",
            SECRET_KEY="0w3f9ae1c55d4b7a8c2e6d1f0b9a7e53",
            PUBLIC_URL="https://api.example.com",
        ) as app,
        client_of(app) as client,
    ):
        for path in ("/health", "/nowhere"):
            response = await client.get(path)
            check(response)
            assert response.headers["strict-transport-security"] == "max-age=31536000; includeSubDomains"


async def test_any_origin_may_be_let_in_during_development(database_url: DatabaseURL) -> None:
    async with (
        running_app(database_url, ENVIRONMENT="development", CORS_ORIGINS="*") as app,
        client_of(app, headers={"Origin": "http://localhost:5173"}) as client,
    ):
        response = await client.get("/nowhere")

    assert response.headers["access-control-allow-origin"] == "*"
