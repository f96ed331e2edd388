"""One request, one transaction: the unit of work."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any, TypeVar

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import SessionTransaction

from app.lib.db.direct import DirectConnection, direct
from app.lib.db.prepared import Prepared

T = TypeVar("T")


class UnitOfWork:
    """The transaction of one request (or job): its session, prepared statements, and callbacks for after the commit.

    Prepared statements run on the driver's connection inside the session's transaction, after pending changes of
    entities have been flushed. They raise what the session would raise. They do not refresh entities: read these
    before, or not at all.
    """

    def __init__(self, session: AsyncSession) -> None:
        self.session = session
        self._after_commit: dict[Callable[[], None], None] = {}
        self._direct: DirectConnection | None = None
        self._begun: SessionTransaction | None = None

    async def execute(self, prepared: Prepared[Any], /, **values: Any) -> int:
        """Runs an insert, update or delete. Returns the number of rows that it affected."""
        connection = await self._connection()
        compiled = prepared.compiled(connection.dialect)
        return await connection.execute(compiled.sql, compiled.arguments(values))

    async def execute_many(self, prepared: Prepared[Any], rows: Iterable[Mapping[str, Any]]) -> None:
        """Runs an insert, update or delete once for each of the rows, in their order and one round trip."""
        connection = await self._connection()
        compiled = prepared.compiled(connection.dialect)
        if arguments := [compiled.arguments(row) for row in rows]:
            await connection.execute_many(compiled.sql, arguments)

    async def all(self, prepared: Prepared[T], /, **values: Any) -> list[T]:
        """Every row of a select, or of what a statement with ``RETURNING`` wrote."""
        connection = await self._connection()
        compiled = prepared.compiled(connection.dialect)
        return compiled.rows(await connection.fetch(compiled.sql, compiled.arguments(values)))

    async def all_many(self, prepared: Prepared[T], rows: Iterable[Mapping[str, Any]]) -> list[T]:
        """Runs a statement with ``RETURNING`` once for each of the rows, like :meth:`execute_many`. Returns every row
        that they wrote, in the same order.
        """
        connection = await self._connection()
        compiled = prepared.compiled(connection.dialect)
        arguments = [compiled.arguments(row) for row in rows]
        return compiled.rows(await connection.fetch_many(compiled.sql, arguments)) if arguments else []

    async def first(self, prepared: Prepared[T], /, **values: Any) -> T | None:
        """The first row, or None."""
        rows = await self.all(prepared, **values)
        return rows[0] if rows else None

    def after_commit(self, callback: Callable[[], None]) -> None:
        """Calls ``callback`` right after a successful commit, before the response starts; once, however often it is
        given. It must not fail. What must survive a crash is a row in the same transaction instead.
        """
        self._after_commit[callback] = None

    async def commit(self) -> None:
        """Commits and makes the calls. A failed commit raises, and makes none."""
        await self.session.commit()
        callbacks, self._after_commit = self._after_commit, {}
        for callback in callbacks:
            callback()

    async def rollback(self) -> None:
        """Undoes the work and forgets the calls. Does not fail: a connection that is lost has nothing to undo."""
        self._after_commit.clear()
        with suppress(SQLAlchemyError):
            await self.session.rollback()

    async def _connection(self) -> DirectConnection:
        """The session begins transactions and savepoints with their first statement, and refuses after a failed one."""
        session: Any = self.session.sync_session
        if not session._is_clean():  # noqa: SLF001 - new, dirty and deleted cost four times as much
            await self.session.flush()
        begun = session.get_nested_transaction() or session.get_transaction()
        found = self._direct
        if found is None or begun is None or begun is not self._begun or found.is_lost or not session.is_active:
            found = self._direct = direct(await self.session.connection())
            self._begun = session.get_nested_transaction() or session.get_transaction()
        return found
