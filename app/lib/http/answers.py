"""Answers to public questions, remembered for as long as they are true.

Anonymous readers ask the same few URLs over and over. A route that depends on nothing but some tables says so with
:func:`public_answer`; its answers are then kept in front of the router until this process writes to one of the tables,
and for a second at most, because other processes write as well. So an author sees their own write at once, and
everyone else within a second. See ``docs/decisions/0028-public-answers.md``.
"""

import time
from collections import OrderedDict
from typing import Any

import msgspec
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from app.lib.db.writes import Writes
from app.lib.http.conditional import is_personal

PUBLIC_ANSWER = "public_answer"
"""Key in a handler's ``opt``: the tables that its answer depends on."""
_OK = 200
_MAX_BYTES = 16_000_000
_MAX_ANSWER_BYTES = 256_000
_OVERHEAD = 1_000
"""Bytes of an answer in memory next to its body and its key, about."""

_Key = tuple[str, bytes, bytes]


def public_answer(*tables: str) -> dict[str, Any]:
    """Spread into a reading handler's ``opt``: for callers without credentials its answer depends on these tables, on
    the path, the query and ``Accept`` alone, and on the clock to the second.
    """
    return {PUBLIC_ANSWER: frozenset(tables)}


class _Answer(msgspec.Struct, frozen=True):
    """``number`` is that of the last commit that it may have seen."""

    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    route: str
    tables: frozenset[str]
    number: int
    good_until: float


class PublicAnswers:
    """ASGI wrapper of the router that answers from memory where it can. ``seconds`` is the most that an answer is old;
    0 turns it off.
    """

    def __init__(self, app: ASGIApp, writes: Writes, seconds: float = 1.0) -> None:
        self._app = app
        self._writes = writes
        self._seconds = seconds
        self._answers: OrderedDict[_Key, _Answer] = OrderedDict()
        self._bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        key = self._key(scope)
        if key is None:
            await self._app(scope, receive, send)
        elif (answer := self._find(key)) is not None:
            scope["path_template"] = answer.route
            await send({"type": "http.response.start", "status": _OK, "headers": list(answer.headers)})
            await send({"type": "http.response.body", "body": answer.body, "more_body": False})
        else:
            await self._app(scope, receive, self._remember(key, scope, send))

    def _key(self, scope: Any) -> _Key | None:
        if not self._seconds or scope["type"] != "http" or scope["method"] != "GET":
            return None
        accept = b""
        for name, value in scope["headers"]:
            if name == b"authorization":
                return None
            if name == b"accept":
                accept += value + b","
        return scope["path"], scope["query_string"], accept

    def _find(self, key: _Key) -> _Answer | None:
        answer = self._answers.get(key)
        if answer is None:
            return None
        if answer.good_until < time.monotonic() or self._writes.happened_since(answer.number, answer.tables):
            self._drop(key)
            return None
        self._answers.move_to_end(key)
        return answer

    def _remember(self, key: _Key, scope: Scope, send: Send) -> Send:
        number, good_until = self._writes.number, time.monotonic() + self._seconds
        start: list[Any] = []

        async def remember(message: Message) -> None:
            if message["type"] == "http.response.start":
                tables = getattr(scope.get("route_handler"), "opt", {}).get(PUBLIC_ANSWER)
                if tables is not None and message["status"] == _OK and not is_personal(scope):
                    start.append((tables, tuple(message["headers"])))
            elif message["type"] == "http.response.body" and start:
                tables, headers = start.pop()
                if not message.get("more_body"):  # no stream
                    route = str(scope.get("path_template"))
                    self._keep(key, _Answer(headers, message["body"], route, tables, number, good_until))
            await send(message)

        is_conditional = any(name == b"if-none-match" for name, _ in scope["headers"])  # its answer may have no content
        return send if is_conditional else remember

    def _keep(self, key: _Key, answer: _Answer) -> None:
        if _size(key, answer) > _MAX_ANSWER_BYTES:
            return
        self._drop(key)
        self._answers[key] = answer
        self._bytes += _size(key, answer)
        while self._bytes > _MAX_BYTES:
            self._drop(next(iter(self._answers)))

    def _drop(self, key: _Key) -> None:
        answer = self._answers.pop(key, None)
        if answer is not None:
            self._bytes -= _size(key, answer)


def _size(key: _Key, answer: _Answer) -> int:
    return _OVERHEAD + len(key[0]) + len(key[1]) + len(key[2]) + len(answer.body)
