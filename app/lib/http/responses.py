"""Responses as bytes: content is encoded once and sent, without a second walk through response classes."""

from collections.abc import Mapping
from functools import partial
from hashlib import sha256
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.enums import MediaType
from litestar.serialization import default_serializer
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from app.lib.http.conditional import Versioned, etag
from app.lib.http.locations import link_header
from app.lib.pagination.envelope import Page

_encode = msgspec.json.Encoder(enc_hook=default_serializer).encode


async def encode_response(response: Response[Any]) -> Any:
    """An ``after_request`` hook. Sends JSON itself, with the ``ETag`` where the content is :class:`Versioned`, and with
    ``Link`` (RFC 8288) where it is a :class:`Page`; leaves HTML, files, streams and what has cookies or a background
    task to Litestar.
    """
    is_json = isinstance(response.content, msgspec.Struct | dict | list)
    return _Encoded(response) if is_json and not response.cookies and response.background is None else response


def revalidated(
    content: bytes, media_type: str = MediaType.JSON, headers: Mapping[str, str] | None = None
) -> Response[bytes]:
    """A file or document with an ETag, which caches ask about each time."""
    cached = {"Cache-Control": "no-cache", "ETag": f'"{sha256(content).hexdigest()[:16]}"'}
    return Response(content, media_type=media_type, headers={**cached, **(headers or {})})


class _Encoded:
    """Stands in for Litestar's ``Response`` where that would be turned into an ASGI application."""

    __slots__ = ("response",)

    def __init__(self, response: Response[Any]) -> None:
        self.response = response

    def to_asgi_response(
        self,
        *,
        request: Request[Any, Any, Any],
        status_code: int | None = None,
        media_type: str | None = None,
        headers: Any = None,
        **_unused: Any,
    ) -> ASGIApp:
        """Called by Litestar, with what the handler declares and the response leaves open."""
        response = self.response
        body = _encode(response.content)
        if isinstance(response.content, Page):
            query = request.query_params.multi_items()
            response.headers.setdefault("Link", link_header(request.url.path, query, response.content))
        if isinstance(response.content, Versioned):
            response.headers.setdefault("ETag", etag(response.content, body))
        elif "tagged" in request.route_handler.opt:
            response.headers.setdefault("ETag", f'W/"{sha256(body).hexdigest()[:32]}"')
        named = {**headers, **response.headers} if headers else response.headers
        raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in named.items()]
        raw.append((b"content-type", (response.media_type or media_type or MediaType.JSON).encode()))
        raw.append((b"content-length", b"%d" % len(body)))
        status = response.status_code or status_code or 200
        return partial(
            _send,
            {"type": "http.response.start", "status": status, "headers": raw},
            {"type": "http.response.body", "body": body, "more_body": False},
        )


async def _send(start: Message, body: Message, _scope: Scope, _receive: Receive, send: Send) -> None:
    await send(start)
    await send(body)
