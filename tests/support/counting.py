"""Counts what reaches the database."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import msgspec
from litestar import Litestar
from sqlalchemy import event

from app.domain.auth.authenticator import SessionAuthenticator
from tests.support.apps import core_of

_block: ContextVar[object] = ContextVar("block", default=None)


@contextmanager
def counted_statements(app: Litestar) -> Iterator[list[str]]:
    """The statements that the app runs because of what the block does, reads and writes alike.

    Its own background work, such as signs of life, is not counted: those tasks are older than the block.
    """
    database = core_of(app).database
    seen: list[str] = []
    block = object()
    authenticator = core_of(app).services.get(SessionAuthenticator)
    seconds = authenticator._cache_seconds

    def observe(statement: str) -> None:
        if _block.get() is block:
            seen.append(statement)

    def on_execute(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        observe(statement)

    event.listen(database.engine.sync_engine, "before_cursor_execute", on_execute)
    database.reader.observers.append(observe)
    token = _block.set(block)
    _remember_callers(authenticator)
    try:
        yield seen
    finally:
        authenticator._cache_seconds = seconds
        _block.reset(token)
        database.reader.observers.remove(observe)
        event.remove(database.engine.sync_engine, "before_cursor_execute", on_execute)


def _remember_callers(authenticator: SessionAuthenticator) -> None:
    """However slow the machine is, who was asked for a moment ago is not asked for again."""
    if authenticator._cache_seconds:
        authenticator._cache_seconds = math.inf
        for key, known in authenticator._principals.items():
            authenticator._principals[key] = msgspec.structs.replace(known, good_until=math.inf)


@contextmanager
def written_statements(app: Litestar) -> Iterator[list[tuple[str, Any]]]:
    """The statements of transactions inside the block, with their parameters."""
    engine = core_of(app).database.engine.sync_engine
    seen: list[tuple[str, Any]] = []

    def on_execute(
        _connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, is_many: bool
    ) -> None:
        seen.extend((statement, each) for each in (parameters if is_many else [parameters]))

    event.listen(engine, "before_cursor_execute", on_execute)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", on_execute)
