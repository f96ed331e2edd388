"""How WebSockets are refused before they are open, and what becomes of those that break."""

from typing import Any

import pytest
from litestar import Litestar, WebSocket, websocket
from litestar.params import FromPath
from litestar.types import ASGIApp

from app.lib.errors import Conflict
from app.lib.http.cors import CORS
from app.lib.http.shell import Shell, remember_refusal
from tests.support.sockets import Closed, Refused, connected


@websocket("/refuses")
async def refuses(socket: WebSocket[Any, Any, Any]) -> None:
    raise Conflict("Not today.")


@websocket("/closes/{code:int}")
async def closes(socket: WebSocket[Any, Any, Any], code: FromPath[int]) -> None:
    await socket.close(code)


@websocket("/fails")
async def fails(socket: WebSocket[Any, Any, Any]) -> None:
    raise RuntimeError("a secret of the house")


@websocket("/breaks")
async def breaks(socket: WebSocket[Any, Any, Any]) -> None:
    await socket.accept()
    raise RuntimeError("a secret of the house")


@websocket("/echoes")
async def echoes(socket: WebSocket[Any, Any, Any]) -> None:
    await socket.accept()
    await socket.send_text(await socket.receive_text())
    await socket.close(4001)


def shelled(own_origin: str = "", **options: Any) -> Litestar:
    app = Litestar(
        [refuses, closes, fails, breaks, echoes],
        after_exception=[remember_refusal],
        openapi_config=None,
        logging_config=None,
    )
    inner: ASGIApp = app.asgi_router
    app.asgi_handler = Shell(inner, CORS(["https://app.example.com"], own_origin), **options)
    return app


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/refuses", 409, "conflict"),
        ("/closes/4403", 403, "permission_denied"),
        ("/closes/1012", 503, "unavailable"),
        ("/fails", 500, "internal_error"),
        ("/nowhere", 404, "not_found"),
    ],
)
async def test_a_refusal_is_a_problem(path: str, status: int, code: str) -> None:
    with pytest.raises(Refused) as refused:
        async with connected(shelled(), path):
            pass

    assert (refused.value.status, refused.value.problem["code"]) == (status, code)
    assert refused.value.headers["content-type"] == "application/problem+json"
    assert "secret" not in str(refused.value.problem)


async def test_a_socket_that_breaks_is_closed_without_a_word_about_why() -> None:
    async with connected(shelled(), "/breaks") as socket:
        with pytest.raises(Closed) as closed:
            await socket.receive_text()

    assert closed.value.args == (1011, "")


async def test_an_open_socket_is_left_alone() -> None:
    async with connected(shelled(), "/echoes") as socket:
        await socket.send_text("hello")
        assert await socket.receive_text() == "hello"
        assert await socket.until_closed() == 4001


@pytest.mark.parametrize(
    ("origin", "is_let_in"),
    [
        (None, True),
        ("http://testserver", True),
        ("https://app.example.com", True),
        ("https://APP.example.com", True),
        ("https://lodestar.example", True),
        ("https://lodestar.example.evil", False),
        ("https://evil.example", False),
        ("null", False),
        ("", False),
    ],
)
async def test_the_origin_is_a_listed_one_or_our_own(origin: str | None, is_let_in: bool) -> None:
    status = 101
    try:
        async with connected(shelled("https://lodestar.example"), "/echoes", origin=origin):
            pass
    except Refused as refused:
        status = refused.status

    assert status == (101 if is_let_in else 403)


async def test_a_host_that_is_none_is_refused() -> None:
    for host in ("", "exa mple", "evil.example/path", "a, b"):
        with pytest.raises(Refused) as refused:
            async with connected(shelled(), "/echoes", host=host):
                pass
        assert refused.value.status == 400


async def test_a_head_that_is_too_long_is_refused() -> None:
    with pytest.raises(Refused) as refused:
        async with connected(shelled(max_header_bytes=200), "/echoes", token="x" * 200):
            pass

    assert refused.value.status == 431
