"""Counts what reaches the database."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from litestar import Litestar
from sqlalchemy import event

from tests.support.apps import components_of


@contextmanager
def counted_statements(app: Litestar) -> Iterator[list[str]]:
    """The statements that the app runs inside the block, reads and writes alike."""
    database = components_of(app).database
    seen: list[str] = []

    def on_execute(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        seen.append(statement)

    event.listen(database.engine.sync_engine, "before_cursor_execute", on_execute)
    database.reader.observers.append(seen.append)
    try:
        yield seen
    finally:
        database.reader.observers.remove(seen.append)
        event.remove(database.engine.sync_engine, "before_cursor_execute", on_execute)


@contextmanager
def written_statements(app: Litestar) -> Iterator[list[tuple[str, Any]]]:
    """The statements of transactions inside the block, with their parameters."""
    engine = components_of(app).database.engine.sync_engine
    seen: list[tuple[str, Any]] = []

    def on_execute(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        seen.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", on_execute)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", on_execute)
