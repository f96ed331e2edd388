"""One request, one transaction: the unit of work."""

import time
from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping
from contextlib import suppress
from typing import Any, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import Session
from sqlalchemy.util import greenlet_spawn

from app.lib.db.direct import DirectConnection, direct
from app.lib.db.prepared import Prepared
from app.lib.db.turns import PATIENCE, NotYourTurn, Turns

T = TypeVar("T")


class UnitOfWork:
    """The transaction of one request (or job): prepared statements, a session, and callbacks for after the commit.

    The first statement takes a connection and begins. Commit and rollback give it back; then the next statement begins
    again. Prepared statements run on the driver's connection, after pending changes of entities have been flushed. They
    raise what the session would raise. They do not refresh entities: read these before, or not at all.
    """

    def __init__(self, engine: AsyncEngine, turns: Turns) -> None:
        self._engine = engine
        self._turns = turns
        self._held: set[Hashable] = set()
        self._patience = PATIENCE
        self.reopen: Callable[[UnitOfWork], Awaitable[None]] | None = None
        """What has to be written again after :meth:`restart`."""
        self._after_commit: dict[Callable[[], None], None] = {}
        self._direct: DirectConnection | None = None
        self._session: AsyncSession | None = None

    @property
    def session(self) -> AsyncSession:
        """For entities, and for statements that differ from call to call. Made when it is first asked for, because many
        units need none. It joins the unit's transaction and never ends it.
        """
        if self._session is None:
            self._session = AsyncSession(self._engine, sync_session_class=_UnitSession, begin=self._begin)
        return self._session

    @property
    def has_begun(self) -> bool:
        """Whether there is a transaction."""
        return self._direct is not None

    async def execute(self, prepared: Prepared[Any], /, **values: Any) -> int:
        """Runs an insert, update or delete. Returns the number of rows that it affected."""
        connection = await self._connection()
        compiled = prepared.compiled(connection.dialect)
        return await connection.execute(compiled.sql, compiled.arguments(values))

    async def execute_many(self, prepared: Prepared[Any], rows: Iterable[Mapping[str, Any]]) -> None:
        """Runs an insert, update or delete once for each of the rows, in their order and one round trip."""
        connection = await self._connection()
        compiled = prepared.compiled(connection.dialect)
        arguments = [compiled.arguments(row) for row in rows]
        if len(arguments) == 1:
            await connection.execute(compiled.sql, arguments[0])
        elif arguments:
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
        if len(arguments) == 1:
            return compiled.rows(await connection.fetch(compiled.sql, arguments[0]))
        return compiled.rows(await connection.fetch_many(compiled.sql, arguments)) if arguments else []

    async def first(self, prepared: Prepared[T], /, **values: Any) -> T | None:
        """The first row, or None."""
        rows = await self.all(prepared, **values)
        return rows[0] if rows else None

    def take_turn(self, *keys: Hashable) -> None:
        """Call it before a statement that locks rows which many write, with their ids: then only a few transactions of
        the process wait for such a row, and the others need no connection. The turn ends with the transaction. Costs a
        microsecond where no one waits.

        Raises ``NotYourTurn``; ``app.lib.db.retries`` waits and runs the work again.
        """
        new = {*keys} - self._held
        if not self._turns.take(new):
            raise NotYourTurn(new)
        self._held.update(new)

    async def wait_turn(self, *keys: Hashable) -> None:
        """The same for work that begins with it, which needs no other retry. Raises ``DatabaseUnavailable``."""
        try:
            self.take_turn(*keys)
        except NotYourTurn as exc:
            await self.restart(exc)

    async def restart(self, missing: NotYourTurn) -> None:
        """Ends the transaction, waits for the missing turns and for those that it had, and begins again with
        :attr:`reopen`. Raises ``DatabaseUnavailable`` when it takes too long.
        """
        wanted, started = {*self._held, *missing.keys}, time.monotonic()
        await self.rollback()
        try:
            await self._turns.wait(wanted, self._patience)
        finally:
            self._patience -= time.monotonic() - started
        self._held = wanted
        if self.reopen is not None:
            await self.reopen(self)

    def after_commit(self, callback: Callable[[], None]) -> None:
        """Calls ``callback`` right after a successful commit, before the response starts; once, however often it is
        given. It must not fail. What must survive a crash is a row in the same transaction instead.
        """
        self._after_commit[callback] = None

    async def commit(self) -> None:
        """Commits and makes the calls. A failed commit raises and makes none; roll back then."""
        if self._session is not None or self._direct is not None:
            await greenlet_spawn(self._commit)
        self._end_turns()
        callbacks, self._after_commit = self._after_commit, {}
        for callback in callbacks:
            callback()

    async def rollback(self) -> None:
        """Undoes the work and forgets the calls. Does not fail: a connection that is lost has nothing to undo."""
        self._after_commit.clear()
        try:
            with suppress(SQLAlchemyError):
                await greenlet_spawn(self._rollback)
        finally:
            self._end_turns()

    async def _connection(self) -> DirectConnection:
        if self._session is not None:
            session: Any = self._session.sync_session
            if not session._is_clean():  # noqa: SLF001 - new, dirty and deleted cost four times as much
                await self._session.flush()
            if session.in_nested_transaction() or not session.is_active:
                await greenlet_spawn(session.connection)  # sets the savepoint; refuses after a failed flush
        found = self._direct
        return found if found is not None else await greenlet_spawn(self._begin)

    def _begin(self) -> DirectConnection:
        if self._direct is None:
            connection = self._engine.sync_engine.connect()
            try:
                connection.begin()
                self._direct = direct(connection)
            except BaseException:
                connection.close()
                raise
        return self._direct

    def _commit(self) -> None:
        if self._session is not None:
            self._session.sync_session.commit()  # flushes
        if self._direct is not None:
            self._direct.connection.commit()
        self._release()

    def _rollback(self) -> None:
        try:
            if self._session is not None:
                self._session.sync_session.rollback()
            if self._direct is not None:
                self._direct.connection.rollback()
        finally:
            self._release()

    def _end_turns(self) -> None:
        if self._held:
            held, self._held = self._held, set()
            self._turns.give_back(held)

    def _release(self) -> None:
        released, self._direct = self._direct, None
        if released is not None:
            released.connection.close()


class _UnitSession(Session):
    """Asks its unit for the connection, and joins the transaction on it."""

    def __init__(self, begin: Callable[[], DirectConnection], **options: Any) -> None:
        super().__init__(expire_on_commit=False, join_transaction_mode="rollback_only", **options)
        self._begin = begin

    def get_bind(self, *_arguments: Any, **_options: Any) -> Connection:
        return self._begin().connection
