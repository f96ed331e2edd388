"""The database's clock in statements: one clock for all processes, and none of theirs.

Milliseconds, because that is what SQLite tells; text of the same form as SQLAlchemy's, so that it compares with it.
"""

from typing import Any

from advanced_alchemy.types import DateTimeUTC
from sqlalchemy import BindParameter, Float, literal
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

_FORMAT = "'%Y-%m-%d %H:%M:%f'"


class database_now(FunctionElement[Any]):  # noqa: N801 - reads like the SQL function that it is
    """When the statement began."""

    type = DateTimeUTC(timezone=True)
    inherit_cache = True


class database_now_plus(FunctionElement[Any]):  # noqa: N801 - reads like the SQL function that it is
    """A number of seconds after the statement began, or before it for a negative number."""

    type = DateTimeUTC(timezone=True)
    inherit_cache = True

    def __init__(self, seconds: float | BindParameter[float]) -> None:
        super().__init__(literal(seconds, Float()) if isinstance(seconds, (int, float)) else seconds)


@compiles(database_now, "postgresql")
def _now_on_postgresql(_element: Any, _compiler: Any, **_options: Any) -> str:
    return "date_trunc('milliseconds', statement_timestamp())"


@compiles(database_now, "sqlite")
def _now_on_sqlite(_element: Any, _compiler: Any, **_options: Any) -> str:
    return f"(strftime({_FORMAT}, 'now') || '000')"


@compiles(database_now_plus, "postgresql")
def _plus_on_postgresql(element: Any, compiler: Any, **options: Any) -> str:
    seconds = compiler.process(element.clauses, **options)
    return f"(date_trunc('milliseconds', statement_timestamp()) + make_interval(secs => {seconds}))"


@compiles(database_now_plus, "sqlite")
def _plus_on_sqlite(element: Any, compiler: Any, **options: Any) -> str:
    seconds = compiler.process(element.clauses, **options)
    return f"(strftime({_FORMAT}, 'now', round({seconds}, 3) || ' seconds') || '000')"
