"""The order in which everyone sees stored events, and up to where it is settled.

Who reads events in an order and goes on behind the last one must miss none. By time or id they would: an event that
commits late has an earlier one. On PostgreSQL the position is the number of the transaction, and an event is shown once
every transaction with a smaller number has ended, so that nothing can come before it any more. SQLite has one writer,
so events commit in the order in which they are inserted and counted.
"""

from typing import Any

from sqlalchemy import BigInteger

from app.lib.db.functions import DialectFunction


class next_position(DialectFunction[Any]):  # noqa: N801 - reads like the SQL function that it is
    """The position of an event that is inserted. On SQLite by the clock as well, so that it goes on where all the
    events before have been deleted.
    """

    type = BigInteger()
    postgresql = "pg_current_xact_id()::text::bigint"
    sqlite = (
        "max(coalesce((SELECT max(position) FROM events), 0) + 1, "
        "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER))"
    )


class settled_position(DialectFunction[Any]):  # noqa: N801 - reads like the SQL function that it is
    """Nothing can come any more at positions below this one."""

    type = BigInteger()
    postgresql = "pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
    sqlite = str(2**63 - 1)
