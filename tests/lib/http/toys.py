"""A small app inside the real shell: answers of every kind, and faults at every moment."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, cast

import httpx
from litestar import Litestar, Response, get, patch, post
from litestar.params import JSONBody
from litestar.response import Stream
from litestar.types import ASGIApp

from app.lib.errors import InvalidState, Unauthenticated
from app.lib.http.cors import CORS
from app.lib.http.problems import exception_handlers
from app.lib.http.rules import PRODUCES_ANYTHING, RulesMiddleware, declare_rules
from app.lib.http.shell import Shell
from app.lib.observability.logging import configure_logging
from app.lib.wire.dto import Input, StructDTO
from app.lib.wire.fields import SingleLine

SECRET_TEXT = "the-database-password-is-hunter2"


class Note(Input):
    text: SingleLine


@get("/plain", headers={"X-Toy": "yes"})
async def plain() -> dict[str, str]:
    return {"said": "hello"}


@get("/tagged")
async def tagged() -> Response[dict[str, int]]:
    return Response({"version": 7}, headers={"ETag": '"7"'})


@get("/weakly-tagged")
async def weakly_tagged() -> Response[dict[str, int]]:
    return Response({"version": 7}, headers={"ETag": 'W/"7"'})


@get("/page", opt={PRODUCES_ANYTHING: True}, media_type="text/html")
async def page() -> Response[bytes]:
    headers = {"Content-Security-Policy": "default-src 'self'", "Cache-Control": "public, max-age=60", "Vary": "Cookie"}
    return Response(b"<!doctype html>", media_type="text/html", headers=headers)


@get("/secrets/token")
async def secret() -> dict[str, str]:
    return {"token": "…"}


@get("/bug")
async def bug() -> None:
    raise ZeroDivisionError(SECRET_TEXT)


@get("/refused")
async def refused() -> None:
    raise InvalidState


@get("/locked")
async def locked() -> None:
    raise Unauthenticated


@get("/stream")
async def stream() -> Stream:
    async def chunks() -> AsyncIterator[bytes]:
        for part in (b"one ", b"two ", b"three"):
            yield part

    return Stream(chunks(), media_type="text/plain", headers={"ETag": '"s"'})


@get("/endless")
async def endless() -> Stream:
    async def chunks() -> AsyncIterator[bytes]:
        while True:  # until it is stopped
            yield b"tick "
            await asyncio.sleep(0.01)

    return Stream(chunks(), media_type="text/plain")


@get("/breaks-off")
async def breaks_off() -> Stream:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"half of it"
        raise ZeroDivisionError(SECRET_TEXT)

    return Stream(chunks(), media_type="text/plain")


@post("/notes", dto=StructDTO[Note], return_dto=None)
async def write(data: JSONBody[Note]) -> dict[str, str]:
    return {"text": data.text}


@patch("/notes", dto=StructDTO[Note], return_dto=None)
async def change(data: JSONBody[Note]) -> dict[str, str]:
    return {"text": data.text}


@post("/poke", status_code=204)
async def poke() -> None:
    return None


@post("/optional", dto=StructDTO[Note], return_dto=None, status_code=200)
async def optional(data: JSONBody[Note | None] = None) -> dict[str, str | None]:
    return {"text": data.text if data else None}


HANDLERS = (
    plain, tagged, weakly_tagged, page, secret, bug, refused, locked, stream, endless, breaks_off, write, change,
    poke, optional,
)  # fmt: skip


def make_app(handlers: Sequence[Any] = HANDLERS, **options: Any) -> Litestar:
    """The toy without the shell: handlers, rules and problems."""
    configure_logging("info", "json")
    app = Litestar(
        route_handlers=list(handlers),
        middleware=[RulesMiddleware()],
        exception_handlers=exception_handlers(),
        request_max_body_size=1_000,
        openapi_config=None,
        logging_config=None,
        **options,
    )
    declare_rules(app)
    return app


def in_shell(app: ASGIApp, *, origins: Sequence[str] = (), takes_local: bool = False, **options: Any) -> Shell:
    """What the real app wraps itself in."""
    return Shell(app, CORS(origins, takes_local=takes_local), no_store=("/secrets/",), **options)


def toy(**options: Any) -> Litestar:
    """The whole toy."""
    app = make_app()
    app.asgi_handler = in_shell(app.asgi_router, **options)
    return app


def call(app: Any, **options: Any) -> httpx.AsyncClient:
    """A client that gets what a server would send."""
    transport = httpx.ASGITransport(app=cast("Any", app), raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://toy.test", **options)
