"""The head of a request or handshake: its header fields and its size; and limits on how long bodies may take."""

import asyncio
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from litestar.types import Message, Receive, Scope, Send

from app.lib.errors import BadRequest, HeadersTooLarge, RequestTimeout

Headers = list[tuple[bytes, bytes]]

_ONCE = (b"host", b"transfer-encoding", b"origin", b"if-match", b"last-event-id")
"""A proxy may go by one of two lines and we by the other. granian makes one ``Content-Length`` of two equal ones, and
takes it off next to ``Transfer-Encoding``. What reads ``Authorization``, ``Content-Type`` or ``Idempotency-Key``
refuses a second one with an answer of its own."""
_HOST = re.compile(rb"(?:[\w.~!$&'()*+;=%-]{1,255}|\[[0-9A-Fa-f:.]{2,45}(?:%25[\w.~-]{1,64})?\])(?::[0-9]{0,5})?")


def check_header_bytes(scope: Scope, most: int) -> None:
    """Raises ``HeadersTooLarge``."""
    size = len(scope["path"]) + len(scope["query_string"])
    for name, value in scope["headers"]:
        size += len(name) + len(value)
    if size > most:
        raise HeadersTooLarge


def check_head(scope: Any, headers: Mapping[bytes, bytes]) -> None:
    """Raises ``BadRequest`` for a header that may occur once and does so twice, for a body in another coding than
    chunks (RFC 9112 section 6.1), and where ``Host`` is missing or not the name of a host (section 3.2).

    HTTP/1.0 knows no ``Host``, and HTTP/2 has another way. granian adds an empty one where it is missing.
    ``headers`` are those of :func:`headers_by_name`.
    """
    if len(headers) < len(scope["headers"]):
        names = [name for name, _ in scope["headers"]]
        if twice := next((name for name in _ONCE if names.count(name) > 1), None):
            raise BadRequest(f"A request has at most one '{twice.decode().title()}' header.")
    if headers.get(b"transfer-encoding", b"chunked").lower() != b"chunked":
        raise BadRequest("The only 'Transfer-Encoding' is 'chunked'.")
    host = headers.get(b"host", b"")
    is_good = _HOST.fullmatch(host) is not None if host else scope["http_version"] != "1.1"
    if not is_good:
        raise BadRequest("A request needs one 'Host' header, with a name and perhaps a port.")


def headers_by_name(headers: Any) -> dict[bytes, bytes]:
    """The first of each header, and all of ``If-None-Match``, which is a list."""
    found: dict[bytes, bytes] = {}
    for name, value in headers:
        if name == b"if-none-match" and name in found:
            found[name] += b", " + value
        else:
            found.setdefault(name, value)
    return found


class TimedReceive:
    """Limits how long a request body may take, which no server below does.

    Wraps ``receive`` until the body is complete or the response has begun, which :meth:`release` says. Until then
    silence of ``idle`` seconds, ``total`` seconds altogether, or a client that goes away raise ``RequestTimeout``.
    Waiting for a disconnect afterwards may take as long as it takes.
    """

    __slots__ = ("_deadline", "_idle", "_receive", "_released")

    def __init__(self, receive: Receive, *, idle: float, total: float) -> None:
        self._receive = receive
        self._idle = idle
        self._deadline = asyncio.get_running_loop().time() + total
        self._released = False

    def release(self) -> None:
        self._released = True

    @property
    def is_complete(self) -> bool:
        """Whether the whole body has been read. Only of interest before the response has begun."""
        return self._released

    async def discard(self) -> None:
        """Reads the rest of a body that is refused: many clients and proxies read no answer before they have sent all,
        and would see a broken connection instead. Gives up on a long or slow one.
        """
        left = _DISCARDED
        with suppress(RequestTimeout):
            while not self._released and left > 0:
                left -= len((await self())["body"])

    async def __call__(self) -> Any:
        """The next message. Raises ``RequestTimeout`` (408)."""
        if self._released:
            return await self._receive()
        patience = min(self._idle, self._deadline - asyncio.get_running_loop().time())
        try:
            async with asyncio.timeout(max(patience, 0.001)):
                message = await self._receive()
        except TimeoutError:
            raise RequestTimeout from None
        if message["type"] != "http.request":
            raise RequestTimeout
        self._released = not message.get("more_body")
        return message


_DISCARDED = 3_000_000
"""Bytes; what proxies should let through is a little more than the largest body that is accepted."""
CHUNK = 32_768
"""Bytes of an answer that are handed to the server at a time."""


async def send_body(send: Send, message: Any, *, idle: float) -> None:
    """Sends a message of a response's body, in pieces where it is long: of one message the server keeps a copy until
    the client has read it, of a stream it keeps a few pieces and makes us wait.

    Raises ``TimeoutError`` when it has taken nothing for ``idle`` seconds, because the client does not read.
    """
    body: bytes = message.get("body", b"")
    more = bool(message.get("more_body"))
    if len(body) <= CHUNK and not more:
        await send(message)
        return
    for start in range(0, max(len(body), 1), CHUNK):
        has_more = more or start + CHUNK < len(body)
        piece: Message = {
            "type": "http.response.body",
            "body": body[start : start + CHUNK],
            "more_body": has_more,
        }
        async with asyncio.timeout(idle):
            await send(piece)
