"""Spans of the statements of readers and of SQLAlchemy's sessions."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, ExceptionContext, event

from app.lib.db.engine import Database
from app.lib.observability.tracing import Tracing, traced


@contextmanager
def traced_statements(database: Database) -> Generator[None]:
    """During the block; those on the driver's connection have their spans anyway (:mod:`app.lib.db.direct`)."""
    reader, engine = database.reader, database.engine.sync_engine
    fetch, reader.fetch = reader.fetch, traced(reader.fetch, reader.dialect.name)
    for name, listener in _LISTENERS.items():
        event.listen(engine, name, listener)
    try:
        yield
    finally:
        reader.fetch = fetch
        for name, listener in _LISTENERS.items():
            event.remove(engine, name, listener)


def _begin(connection: Connection, _cursor: object, sql: str, _parameters: object, context: Any, _many: object) -> None:
    if context is not None and Tracing.active is not None:  # there is none on the driver's connection
        context.trace_span = Tracing.active.statement(sql, connection.dialect.name)
        context.trace_span.__enter__()


def _end(_connection: object, _cursor: object, _sql: str, _parameters: object, context: Any, _many: object) -> None:
    if (span := getattr(context, "trace_span", None)) is not None:
        span.__exit__(None, None, None)


def _fail(failed: ExceptionContext) -> None:
    if (span := getattr(failed.execution_context, "trace_span", None)) is not None:
        exc = failed.original_exception
        span.__exit__(type(exc), exc, exc.__traceback__)


_LISTENERS: dict[str, Callable[..., None]] = {
    "before_cursor_execute": _begin,
    "after_cursor_execute": _end,
    "handle_error": _fail,
}
