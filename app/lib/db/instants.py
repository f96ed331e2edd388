"""The database's clock in statements: one clock for all processes, and none of theirs.

Milliseconds, because that is what SQLite tells; text of the same form as SQLAlchemy's, so that it compares with it.
"""

from typing import Any

from advanced_alchemy.types import DateTimeUTC
from sqlalchemy import BindParameter, Float, literal

from app.lib.db.functions import DialectFunction


class database_now(DialectFunction[Any]):  # noqa: N801 - reads like the SQL function that it is
    """When the statement began."""

    type = DateTimeUTC(timezone=True)
    postgresql = "date_trunc('milliseconds', statement_timestamp())"
    sqlite = "(strftime('%Y-%m-%d %H:%M:%f', 'now') || '000')"


class database_now_plus(DialectFunction[Any]):  # noqa: N801 - reads like the SQL function that it is
    """A number of seconds after the statement began, or before it for a negative number."""

    type = DateTimeUTC(timezone=True)
    postgresql = "(date_trunc('milliseconds', statement_timestamp()) + make_interval(secs => {0}))"
    sqlite = "(strftime('%Y-%m-%d %H:%M:%f', 'now', round({0}, 3) || ' seconds') || '000')"

    def __init__(self, seconds: float | BindParameter[float]) -> None:
        super().__init__(literal(seconds, Float()) if isinstance(seconds, (int, float)) else seconds)


class seconds_since(DialectFunction[float]):  # noqa: N801 - reads like the SQL function that it is
    """How long ago an instant was when the statement began; negative for one that comes."""

    type = Float()
    postgresql = "CAST(extract(epoch FROM statement_timestamp() - {0}) AS double precision)"
    sqlite = "((julianday('now') - julianday({0})) * 86400.0)"
