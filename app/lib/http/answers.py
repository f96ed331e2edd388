"""Answers to public questions, remembered for as long as they are true.

Readers ask the same few URLs over and over. A route that depends on nothing but some tables says so with
:func:`public_answer`; its answers are then kept in front of the router until this process writes to one of the tables,
and for a second at most, because other processes write as well. So an author sees their own write at once, and
everyone else within a second. See ``docs/decisions/0028-public-answers.md``.
"""

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection
from typing import Any, cast

import msgspec
from litestar.enums import ScopeType
from litestar.handlers import BaseRouteHandler, HTTPRouteHandler
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from app.lib.db.writes import Writes
from app.lib.errors import AppError
from app.lib.http.conditional import is_personal
from app.lib.security.policies import principal_in

PUBLIC_ANSWER = "public_answer"
"""Key in a handler's ``opt``, for its :class:`PublicAnswer`."""
_OK = 200
_MAX_BYTES = 16_000_000
_MAX_ANSWER_BYTES = 256_000
_OVERHEAD = 1_000
"""Bytes of an answer in memory next to its body and its key, about."""

_Key = tuple[str, bytes, bytes]


class PublicAnswer(msgspec.Struct, frozen=True):
    """What an answer depends on: the tables, and the permissions of callers who may get another one. None of these
    where callers who are signed in always may.
    """

    tables: frozenset[str]
    unless: frozenset[str] | None

    def is_for(self, scope: Scope) -> bool:
        """Whether the caller gets what everyone gets."""
        principal = principal_in(scope)
        return principal is None or (self.unless is not None and not any(map(principal.may, self.unless)))


def public_answer(*tables: str, unless: Collection[str] | None = None) -> dict[str, Any]:
    """Spread into a reading handler's ``opt``: for callers without credentials its answer depends on these tables, on
    the path, the query and ``Accept`` alone, and on the clock to the second. With ``unless`` also for callers who are
    signed in and hold none of these permissions.
    """
    return {PUBLIC_ANSWER: PublicAnswer(frozenset(tables), None if unless is None else frozenset(unless))}


class _Answer(msgspec.Struct, frozen=True):
    """``number`` is that of the last commit that it may have seen."""

    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    route: str
    handler: HTTPRouteHandler
    depends: PublicAnswer
    number: int
    good_until: float


class PublicAnswers:
    """ASGI wrapper of the router that answers from memory where it can. ``seconds`` is the most that an answer is old;
    0 turns it off. ``admit`` looks at the caller's credentials as the router does.
    """

    def __init__(
        self,
        app: ASGIApp,
        writes: Writes,
        admit: Callable[[Scope, BaseRouteHandler], Awaitable[None]],
        seconds: float = 1.0,
    ) -> None:
        self._app = app
        self._writes = writes
        self._admit = admit
        self._seconds = seconds
        self._answers: OrderedDict[_Key, _Answer] = OrderedDict()
        self._bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self._seconds or scope["type"] != ScopeType.HTTP or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        key, is_signed_in = _asked(scope)
        answer = self._find(key)
        if answer is not None and (not is_signed_in or await self._may_have(answer, scope)):
            scope["path_template"], scope["route_handler"] = answer.route, answer.handler
            await send({"type": "http.response.start", "status": _OK, "headers": list(answer.headers)})
            await send({"type": "http.response.body", "body": answer.body, "more_body": False})
        else:
            await self._app(scope, receive, self._remember(key, scope, send))

    async def _may_have(self, answer: _Answer, scope: Scope) -> bool:
        if answer.depends.unless is None:
            return False
        try:
            await self._admit(scope, answer.handler)
        except AppError:  # the router refuses as well, and says it to the caller
            return False
        return answer.depends.is_for(scope)

    def _find(self, key: _Key) -> _Answer | None:
        answer = self._answers.get(key)
        if answer is None:
            return None
        if answer.good_until < time.monotonic() or self._writes.happened_since(answer.number, answer.depends.tables):
            self._drop(key)
            return None
        self._answers.move_to_end(key)
        return answer

    def _remember(self, key: _Key, scope: Scope, send: Send) -> Send:
        number, good_until = self._writes.number, time.monotonic() + self._seconds
        start: list[Any] = []

        async def remember(message: Message) -> None:
            if message["type"] == "http.response.start":
                depends = getattr(scope.get("route_handler"), "opt", {}).get(PUBLIC_ANSWER)
                is_public = depends is not None and depends.is_for(scope)
                if is_public and message["status"] == _OK and not is_personal(scope):
                    start.append((depends, tuple(message["headers"])))
            elif message["type"] == "http.response.body" and start:
                depends, headers = start.pop()
                if message["body"] and not message.get("more_body"):  # neither a stream nor what will be a 304
                    route, handler = str(scope.get("path_template")), cast("HTTPRouteHandler", scope["route_handler"])
                    answer = _Answer(headers, message["body"], route, handler, depends, number, good_until)
                    self._keep(key, answer)
            await send(message)

        return remember

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


def _asked(scope: Scope) -> tuple[_Key, bool]:
    """What is asked for, and whether with credentials."""
    accept, is_signed_in = b"", False
    for name, value in scope["headers"]:
        if name == b"accept":
            accept = accept + b"," + value if accept else value
        elif name == b"authorization":
            is_signed_in = True
    return (scope["path"], scope["query_string"], accept), is_signed_in


def _size(key: _Key, answer: _Answer) -> int:
    return _OVERHEAD + len(key[0]) + len(key[1]) + len(key[2]) + len(answer.body)
