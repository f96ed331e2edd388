"""The outer shell around a toy: what every exchange gets in any case."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any, cast
from uuid import UUID

import httpx
import pytest
from litestar import get
from litestar.response import Stream
from litestar.types import Receive, Scope, Send
from structlog.testing import capture_logs

from tests.lib.http.toys import SECRET_TEXT, call, in_shell, make_app, toy
from tests.support.waiting import PATIENCE

EVERYWHERE = [
    ("GET", "/plain", 200),
    ("HEAD", "/plain", 200),
    ("OPTIONS", "/plain", 204),
    ("GET", "/nowhere", 404),
    ("HEAD", "/nowhere", 404),
    ("DELETE", "/plain", 405),
    ("GET", "/locked", 401),
    ("GET", "/refused", 409),
    ("POST", "/notes", 422),
    ("GET", "/bug", 500),
    ("GET", "/stream", 200),
]


@pytest.mark.parametrize(("method", "path", "status"), EVERYWHERE)
async def test_every_response_has_the_fixed_headers_once(method: str, path: str, status: int) -> None:
    async with call(toy()) as client:
        response = await client.request(method, path)

    assert response.status_code == status
    headers = response.headers
    assert headers.get_list("x-content-type-options") == ["nosniff"]
    assert headers.get_list("referrer-policy") == ["no-referrer"]
    assert headers.get_list("content-security-policy") == ["default-src 'none'; frame-ancestors 'none'"]
    assert headers.get_list("server") == [""]
    assert headers.get_list("cache-control") == ["private, no-cache"]
    assert "strict-transport-security" not in headers
    assert UUID(headers["x-request-id"]).version == 7
    assert re.fullmatch(r"\d+\.\d{6}", headers["x-process-time"])


async def test_hsts_is_for_production() -> None:
    async with call(toy(hsts=True)) as client:
        response = await client.get("/nowhere")

    assert response.headers["strict-transport-security"] == "max-age=31536000; includeSubDomains"


@pytest.mark.parametrize(("method", "path", "status"), EVERYWHERE)
async def test_a_good_request_id_is_kept(method: str, path: str, status: int) -> None:
    async with call(toy(), headers={"X-Request-ID": "Trace-1.2_3"}) as client:
        response = await client.request(method, path)

    assert response.status_code == status
    assert response.headers.get_list("x-request-id") == ["Trace-1.2_3"]
    if status >= 400 and method != "HEAD":
        assert response.json()["request_id"] == "Trace-1.2_3"


@pytest.mark.parametrize("given", ["short", "x" * 65, "with space", "semi;colon", "näme-näme", "", "line\tfeed-1"])
async def test_a_bad_request_id_is_replaced(given: str) -> None:
    async with call(toy()) as client:
        response = await client.get("/nowhere", headers=[(b"X-Request-ID", given.encode())])

    assert UUID(response.headers["x-request-id"]).version == 7
    assert response.json()["request_id"] == response.headers["x-request-id"]


@pytest.mark.parametrize("length", [8, 64])
async def test_request_ids_may_have_8_to_64_characters(length: int) -> None:
    async with call(toy()) as client:
        response = await client.get("/plain", headers={"X-Request-ID": "x" * length})

    assert response.headers["x-request-id"] == "x" * length


async def test_a_route_may_have_its_own_policy_and_caching() -> None:
    async with call(toy(origins=["https://app.example.com"])) as client:
        response = await client.get("/page")

    assert response.headers.get_list("content-security-policy") == ["default-src 'self'"]
    assert response.headers.get_list("cache-control") == ["public, max-age=60"]
    assert response.headers.get_list("vary") == ["Origin, Cookie"]


@pytest.mark.parametrize("path", ["/secrets/token", "/secrets/nowhere"])
async def test_nothing_below_a_secret_prefix_is_stored(path: str) -> None:
    async with call(toy()) as client:
        assert (await client.get(path)).headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", ["/plain", "/tagged", "/page", "/nowhere", "/notes", "/bug", "/stream", "/locked"])
async def test_head_has_the_headers_of_get_and_no_body(path: str) -> None:
    async with call(toy(), headers={"X-Request-ID": "same-for-both"}) as client:
        get = await client.get(path)
        head = await client.head(path)

    assert head.status_code == get.status_code
    assert head.content == b""
    assert _comparable(head) == _comparable(get)


def _comparable(response: httpx.Response) -> dict[str, str]:
    return {name: value for name, value in response.headers.items() if name != "x-process-time"}


async def test_head_does_not_begin_a_stream() -> None:
    begun: list[str] = []

    @get("/rows")
    async def rows() -> Stream:
        async def pieces() -> AsyncIterator[bytes]:
            begun.append("rows")
            yield b"a row"

        return Stream(pieces(), media_type="text/csv", headers={"Content-Disposition": "attachment"})

    app = make_app([rows])
    app.asgi_handler = in_shell(app.asgi_router)
    async with call(app, headers={"X-Request-ID": "same-for-both"}) as client:
        head = await client.head("/rows")
        assert begun == []
        assert _comparable(head) == _comparable(await client.get("/rows"))

    assert (head.status_code, head.content, begun) == (200, b"", ["rows"])


async def test_head_ends_a_stream_that_has_no_end() -> None:
    async with call(toy()) as client:
        response = await asyncio.wait_for(client.head("/endless"), PATIENCE)

    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/plain")
    assert response.content == b""


@pytest.mark.parametrize(
    ("path", "allow"),
    [
        ("/plain", "GET, HEAD, OPTIONS"),
        ("/notes", "OPTIONS, PATCH, POST"),
        ("/poke", "OPTIONS, POST"),
    ],
)
async def test_options_and_405_name_every_method(path: str, allow: str) -> None:
    async with call(toy()) as client:
        options = await client.options(path)
        refused = await client.put(path)

    assert (options.status_code, options.headers.get_list("allow"), options.content) == (204, [allow], b"")
    assert (refused.status_code, refused.headers.get_list("allow")) == (405, [allow])
    assert refused.json()["code"] == "method_not_allowed"


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "PROPFIND", "X" * 200])
async def test_unknown_methods_are_405(method: str) -> None:
    async with call(toy()) as client:
        assert (await client.request(method, "/plain")).status_code == 405


async def test_options_on_an_unknown_path_is_404() -> None:
    async with call(toy()) as client:
        response = await client.options("/nowhere")

    assert response.status_code == 404
    assert response.json()["code"] == "not_found"


async def test_headers_that_are_too_large_are_431() -> None:
    async with call(toy()) as client:
        refused = await client.get("/plain", headers={"X-Big": "x" * 32_768})
        also_refused = await client.get("/plain", params={"q": "x" * 32_768})
        allowed = await client.get("/plain", headers={"X-Big": "x" * 30_000})

    assert refused.status_code == also_refused.status_code == 431
    assert refused.json()["code"] == "payload_too_large"
    assert refused.headers["content-type"] == "application/problem+json"
    assert allowed.status_code == 200


@pytest.mark.asvs("16.5.1")
async def test_a_bug_tells_the_client_nothing_and_the_log_everything() -> None:
    with capture_logs() as logs:
        async with call(toy()) as client:
            response = await client.get("/bug")

    assert response.status_code == 500
    assert response.json()["code"] == "internal_error"
    assert SECRET_TEXT not in response.text
    assert "ZeroDivision" not in response.text
    failed = next(each for each in logs if each["event"] == "request.failed")
    assert isinstance(failed["exc_info"], ZeroDivisionError)


@pytest.mark.asvs("16.5.4")
async def test_what_breaks_outside_the_framework_is_a_problem_too() -> None:
    async def broken(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise ZeroDivisionError(SECRET_TEXT)

    status, headers, body = await _run(in_shell(broken))

    assert status == 500
    assert headers[b"content-type"] == b"application/problem+json"
    assert SECRET_TEXT.encode() not in body
    assert b'"code":"internal_error"' in body


async def test_a_response_that_breaks_off_is_cut_and_not_ended() -> None:
    """A server closes the connection when the application raises; a proper end would look like the whole answer."""
    app = toy()
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    with pytest.raises(Exception, match="response started"):
        await app(_scope("/breaks-off"), _receive, send)

    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    assert sent[0]["status"] == 200
    assert sent[1]["more_body"]


async def test_every_exchange_is_observed_once_by_its_template() -> None:
    seen: list[tuple[str, str, int]] = []

    def observe(method: str, route: str, status: int, seconds: float) -> None:
        assert seconds > 0
        seen.append((method, route, status))

    async with call(toy(observe=observe)) as client:
        for method, path in (("GET", "/plain"), ("HEAD", "/plain"), ("GET", "/nowhere"), ("PUT", "/plain")):
            await client.request(method, path)
        await client.get("/bug")

    assert seen == [
        ("GET", "/plain", 200),
        ("HEAD", "/plain", 200),
        ("GET", "unmatched", 404),
        ("PUT", "unmatched", 405),
        ("GET", "/bug", 500),
    ]


def _scope(path: str) -> Any:
    return cast(
        "Any",
        {
            "type": "http",
            "method": "GET",
            "path": path,
            "query_string": b"",
            "headers": [(b"host", b"t")],
            "state": {},
            "client": None,
        },
    )


async def _receive() -> Any:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _run(app: Any) -> tuple[int, dict[bytes, bytes], bytes]:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    await app(_scope("/x"), _receive, send)
    return sent[0]["status"], dict(sent[0]["headers"]), b"".join(message["body"] for message in sent[1:])
