"""Cross-origin requests: listed origins, and no others."""

import pytest
from structlog.testing import capture_logs

from tests.lib.http.toys import call, toy

LISTED = "https://app.example.com"
ORIGINS = [LISTED, "http://localhost:3000"]
EXPOSED = {
    *("Accept-Patch", "Accept-Post", "Allow", "Content-Disposition", "Deprecation", "ETag", "Idempotency-Replayed"),
    *("Link", "Location", "RateLimit", "RateLimit-Policy", "Retry-After", "Sunset", "WWW-Authenticate", "X-Request-ID"),
}
PREFLIGHT = {"Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": "authorization"}


@pytest.mark.parametrize("origin", [*ORIGINS, "HTTPS://APP.example.com"])
@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/plain"), ("GET", "/nowhere"), ("PUT", "/plain"), ("GET", "/bug")]
)
async def test_a_listed_origin_may_read_every_answer(origin: str, method: str, path: str) -> None:
    async with call(toy(origins=ORIGINS)) as client:
        response = await client.request(method, path, headers={"Origin": origin})

    headers = response.headers
    assert headers.get_list("access-control-allow-origin") == [origin]
    exposed = {name.strip() for name in headers["access-control-expose-headers"].split(",")}
    assert exposed >= EXPOSED
    assert headers.get_list("vary") == ["Origin"]
    assert "access-control-allow-credentials" not in headers


@pytest.mark.asvs("3.4.2")
@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "https://app.example.com.evil.example",
        "https://app.example.com:8443",
        "http://app.example.com",
        "https://sub.app.example.com",
        "null",
        "",
        f"{LISTED}, https://evil.example",
    ],
)
async def test_another_origin_gets_no_permission(origin: str) -> None:
    async with call(toy(origins=ORIGINS)) as client:
        plain = await client.get("/plain", headers={"Origin": origin})
        preflight = await client.options("/plain", headers={"Origin": origin, **PREFLIGHT})

    for response in (plain, preflight):
        assert not [name for name in response.headers if name.startswith("access-control-")]
        assert response.headers.get_list("vary") == ["Origin"]
    assert plain.status_code == 200
    assert preflight.status_code == 204
    assert preflight.headers["allow"] == "GET, HEAD, OPTIONS"


async def test_a_preflight_of_a_listed_origin_is_granted() -> None:
    async with call(toy(origins=ORIGINS)) as client:
        response = await client.options("/notes", headers={"Origin": LISTED, **PREFLIGHT})

    headers = response.headers
    assert response.status_code == 204
    assert headers["access-control-allow-origin"] == LISTED
    assert {"PATCH", "DELETE", "PUT"} <= set(headers["access-control-allow-methods"].split(", "))
    assert {"Authorization", "If-Match", "Idempotency-Key"} <= set(headers["access-control-allow-headers"].split(", "))
    assert headers["access-control-max-age"] == "600"
    assert "POST" in headers["allow"]
    assert headers["vary"] == "Origin"
    assert "x-request-id" in headers


async def test_a_preflight_of_what_is_not_there_is_granted_so_that_pages_see_the_404() -> None:
    async with call(toy(origins=ORIGINS)) as client:
        for path in ("/nowhere", "//", "/%00", "/notes/" + "x" * 3_000):
            response = await client.options(path, headers={"Origin": LISTED, **PREFLIGHT})
            assert (response.status_code, response.headers.get("allow")) == (204, None)
            assert response.headers["access-control-allow-origin"] == LISTED


@pytest.mark.parametrize(
    ("origin", "is_local"),
    [
        ("http://localhost:5173", True),
        ("http://localhost", True),
        ("https://shop.localhost:3000", True),
        ("http://127.0.0.1:8080", True),
        ("http://[::1]:8080", True),
        ("http://localhost.evil.example", False),
        ("http://localhost:5173.evil.example", False),
        ("http://evil.example/localhost", False),
        ("http://evil-localhost", False),
        ("http://127.0.0.2", False),
        ("file://localhost", False),
        ("null", False),
    ],
)
async def test_pages_of_this_machine_are_listed_in_development(origin: str, *, is_local: bool) -> None:
    async with call(toy(takes_local=True)) as client:
        answers = [
            await client.get("/plain", headers={"Origin": origin}),
            await client.options("/plain", headers={"Origin": origin, **PREFLIGHT}),
        ]
    for answer in answers:
        assert answer.headers.get("access-control-allow-origin") == (origin if is_local else None)
        assert answer.headers["vary"] == "Origin"
        assert answer.status_code in {200, 204}


async def test_a_refusal_leaves_one_hint_that_names_the_setting() -> None:
    evil = "https://evil.example/" + "x" * 300
    asked = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "x-shop, authorization,accept"}
    with capture_logs() as lines:
        async with call(toy(origins=ORIGINS)) as client:
            for _ in range(3):
                await client.options("/plain", headers={"Origin": evil, **PREFLIGHT})
                await client.options("/plain", headers={"Origin": LISTED, **asked})
            for number in range(200):
                await client.options("/plain", headers={"Origin": f"https://{number}.example", **PREFLIGHT})

    first, second, *others = [each for each in lines if each["event"] == "cors.refused"]
    assert ("CORS_ORIGINS" in first["error"], first["origin"]) == (True, evil[:200])
    assert ("CORS_HEADERS" in second["error"], second["header"]) == (True, "x-shop")
    assert len(others) == 98


async def test_options_without_a_requested_method_is_no_preflight() -> None:
    async with call(toy(origins=ORIGINS)) as client:
        response = await client.options("/plain", headers={"Origin": LISTED})

    assert response.headers["allow"] == "GET, HEAD, OPTIONS"
    assert "access-control-allow-methods" not in response.headers


async def test_same_origin_requests_still_vary() -> None:
    async with call(toy(origins=ORIGINS)) as client:
        response = await client.get("/plain")

    assert response.headers["vary"] == "Origin"
    assert "access-control-allow-origin" not in response.headers


async def test_without_origins_there_is_no_cors() -> None:
    async with call(toy()) as client:
        response = await client.get("/plain", headers={"Origin": LISTED})

    assert "vary" not in response.headers
    assert "access-control-allow-origin" not in response.headers


async def test_a_star_lets_everybody_in() -> None:
    async with call(toy(origins=["*"])) as client:
        plain = await client.get("/nowhere", headers={"Origin": "https://any.example"})
        preflight = await client.options("/notes", headers={"Origin": "https://any.example", **PREFLIGHT})

    for response in (plain, preflight):
        assert response.headers["access-control-allow-origin"] == "*"
        assert "vary" not in response.headers
    assert "access-control-allow-methods" in preflight.headers
