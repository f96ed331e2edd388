"""The order in which everyone sees stored events, and up to where it is settled.

Who reads events in an order and goes on behind the last one must miss none. By time or id they would: an event that
commits late has an earlier one. On PostgreSQL the position is the number of the transaction, and an event is shown once
every transaction with a smaller number has ended, so that nothing can come before it any more. SQLite has one writer,
so events commit in the order in which they are inserted and counted.

A PostgreSQL server that a backup is restored into may have given out fewer numbers than the one before. What the
function ``events_offset()`` of the database returns, 0 at first, is added, so that new events come after those that
were there.
"""

from typing import Any

from sqlalchemy import BigInteger, Connection, text

from app.lib.db.functions import DialectFunction


class next_position(DialectFunction[Any]):  # noqa: N801 - reads like the SQL function that it is
    """The position of an event that is inserted. On SQLite by the clock as well, so that it goes on where all the
    events before have been deleted.
    """

    type = BigInteger()
    postgresql = "pg_current_xact_id()::text::bigint + events_offset()"
    sqlite = (
        "max(coalesce((SELECT max(position) FROM events), 0) + 1, "
        "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER))"
    )


class settled_position(DialectFunction[Any]):  # noqa: N801 - reads like the SQL function that it is
    """Nothing can come any more at positions below this one."""

    type = BigInteger()
    postgresql = "pg_snapshot_xmin(pg_current_snapshot())::text::bigint + events_offset()"
    sqlite = str(2**63 - 1)


_behind = text("SELECT coalesce(max(position), 0) - pg_current_xact_id()::text::bigint + 1 FROM events")


def go_on_after_restored_events(connection: Connection) -> None:
    """For a PostgreSQL database that was made from a backup. Positions that were given out stay as they are,
    because readers go on behind them.
    """
    offset = max(0, int(connection.execute(_behind).scalar_one()))
    body = f"RETURNS bigint IMMUTABLE LANGUAGE sql AS 'SELECT {offset}::bigint'"
    connection.execute(text(f"CREATE OR REPLACE FUNCTION events_offset() {body}"))
    connection.commit()
