"""One request, one transaction: the unit of work."""

import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Hashable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

from sqlalchemy import Connection, event
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import ORMExecuteState, Session
from sqlalchemy.util import await_only, greenlet_spawn

from app.lib.db.direct import Arguments, DirectConnection, direct
from app.lib.db.prepared import Prepared, Runner, tables_written_by
from app.lib.db.turns import PATIENCE, NotYourTurn, Turns
from app.lib.db.writes import Writes

T = TypeVar("T")

_TOGETHER = 2
"""Rows of one statement that go with others; more are sent by themselves, else each number of them would be one more
statement to prepare."""


class UnitOfWork(Runner):
    """The transaction of one request (or job): prepared statements, a session, and callbacks for after the commit.

    The first statement takes a connection and begins. Commit and rollback give it back; then the next statement begins
    again. Prepared statements run on the driver's connection, after pending changes of entities have been flushed. They
    raise what the session would raise. They do not refresh entities: read these before, or not at all.
    """

    def __init__(self, engine: AsyncEngine, writes: Writes, turns: Turns) -> None:
        self._engine = engine
        self._writes = writes
        self._written: set[str] = set()
        self._turns = turns
        self._held: set[Hashable] = set()
        self._patience = PATIENCE
        self.reopen: Callable[[UnitOfWork], Awaitable[None]] | None = None
        """What has to be written again after :meth:`restart`."""
        self._after_commit: dict[Callable[[], None], None] = {}
        self._direct: DirectConnection | None = None
        self._session: AsyncSession | None = None
        self._inserts: list[tuple[str, Arguments]] = []

    @property
    def session(self) -> AsyncSession:
        """For entities, and for statements that differ from call to call. Made when it is first asked for, because many
        units need none. It joins the unit's transaction and never ends it.
        """
        if self._session is None:
            self._session = AsyncSession(
                self._engine, sync_session_class=_UnitSession, begin=self._begin_for_session, written=self._written
            )
        return self._session

    @property
    def has_begun(self) -> bool:
        """Whether there is a transaction, or something to begin one with."""
        return self._direct is not None or bool(self._inserts)

    async def execute(self, prepared: Prepared[Any], /, **values: Any) -> int:
        """Runs an insert, update or delete. Returns the number of rows that it affected."""
        connection = await self._connection()
        self._written |= prepared.writes
        compiled = prepared.compiled(connection.dialect)
        return await connection.execute(compiled.sql, compiled.arguments(values))

    async def insert(self, prepared: Prepared[Any], /, *rows: Mapping[str, Any]) -> None:
        """Inserts rows whose number no one asks for. They are sent with the other ones of this kind in one round trip:
        before the next statement of another kind, or before the commit. What the database refuses is raised there.
        """
        if len(rows) > _TOGETHER:
            await self.execute_many(prepared, rows)
            return
        session: Any = self._session
        if session is not None and not session.sync_session._is_clean():  # noqa: SLF001 - as in _connection
            await session.flush()
        self._written |= prepared.writes
        compiled = prepared.compiled(self._engine.dialect)
        self._inserts += [(compiled.sql, compiled.arguments(row)) for row in rows]

    async def create(self, prepared: Prepared[T], /, **values: Any) -> T:
        """Runs an insert of one row with ``RETURNING``. It goes ahead of the rows of :meth:`insert` that wait, and so
        cannot refer to them; they stay one round trip with what follows.
        """
        connection = await self._connection(send=False)
        self._written |= prepared.writes
        compiled = prepared.compiled(connection.dialect)
        [created] = compiled.rows(await connection.fetch(compiled.sql, compiled.arguments(values)))
        return created

    async def execute_many(self, prepared: Prepared[Any], rows: Iterable[Mapping[str, Any]]) -> None:
        """Runs an insert, update or delete once for each of the rows, in their order and one round trip."""
        connection = await self._connection()
        self._written |= prepared.writes
        compiled = prepared.compiled(connection.dialect)
        arguments = [compiled.arguments(row) for row in rows]
        if len(arguments) == 1:
            await connection.execute(compiled.sql, arguments[0])
        elif arguments:
            await connection.execute_many(compiled.sql, arguments)

    async def all(self, prepared: Prepared[T], /, **values: Any) -> list[T]:
        """Every row."""
        connection = await self._connection()
        self._written |= prepared.writes
        compiled = prepared.compiled(connection.dialect)
        return compiled.rows(await connection.fetch(compiled.sql, compiled.arguments(values)))

    async def all_many(self, prepared: Prepared[T], rows: Iterable[Mapping[str, Any]]) -> list[T]:
        """Runs a statement with ``RETURNING`` once for each of the rows, like :meth:`execute_many`. Returns every row
        that they wrote, in the same order.
        """
        connection = await self._connection()
        self._written |= prepared.writes
        compiled = prepared.compiled(connection.dialect)
        arguments = [compiled.arguments(row) for row in rows]
        if len(arguments) == 1:
            return compiled.rows(await connection.fetch(compiled.sql, arguments[0]))
        return compiled.rows(await connection.fetch_many(compiled.sql, arguments)) if arguments else []

    @asynccontextmanager
    async def savepoint(self) -> AsyncGenerator[None]:
        """What fails in the block is undone, and leaves a transaction that goes on."""
        if self._inserts:
            await self._connection()
        try:
            async with self.session.begin_nested():
                yield
        except BaseException:
            self._inserts.clear()
            raise

    async def go_back(self, to_savepoint: Prepared[None]) -> None:
        """Undoes what was done since the savepoint."""
        self._inserts.clear()
        await self.execute(to_savepoint)

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
        if self._session is not None:
            await greenlet_spawn(self._session.sync_session.commit)  # flushes
        if self._inserts:
            await self._connection()
        if self._direct is not None:
            try:
                await self._direct.commit()
            finally:  # one that fails may have succeeded
                self._writes.record(self._written)
                self._written.clear()
            await self._release()
        self._end_turns()
        callbacks, self._after_commit = self._after_commit, {}
        for callback in callbacks:
            callback()

    async def rollback(self) -> None:
        """Undoes the work and forgets the calls. Does not fail: a connection that is lost has nothing to undo."""
        self._after_commit.clear()
        self._written.clear()
        self._inserts.clear()
        try:
            with suppress(SQLAlchemyError):
                if self._session is not None:
                    await greenlet_spawn(self._session.sync_session.rollback)
                if self._direct is not None:
                    await self._direct.rollback()
        finally:
            try:
                await self._release()
            finally:
                self._end_turns()

    async def _connection(self, *, send: bool = True) -> DirectConnection:
        if self._session is not None:
            session: Any = self._session.sync_session
            if not session._is_clean():  # noqa: SLF001 - new, dirty and deleted cost four times as much
                await self._session.flush()
            if session.in_nested_transaction() or not session.is_active:
                await greenlet_spawn(session.connection)  # sets the savepoint; refuses after a failed flush
        found = self._direct
        if found is None:
            found = await greenlet_spawn(self._begin)
        if self._inserts and send:
            await self._send_inserts(found)
        return found

    async def _send_inserts(self, connection: DirectConnection) -> None:
        inserts, self._inserts = self._inserts, []
        await connection.insert_all(inserts)

    def _begin(self) -> DirectConnection:
        if self._direct is None:
            self._direct = direct(self._engine.sync_engine)
        return self._direct

    def _begin_for_session(self) -> DirectConnection:
        found = self._begin()
        if self._inserts:
            await_only(self._send_inserts(found))
        return found

    def _end_turns(self) -> None:
        if self._held:
            held, self._held = self._held, set()
            self._turns.give_back(held)

    async def _release(self) -> None:
        released, self._direct = self._direct, None
        if released is not None:
            await released.close()


class _UnitSession(Session):
    """Asks its unit for the connection, and joins the transaction on it."""

    def __init__(self, begin: Callable[[], DirectConnection], written: set[str], **options: Any) -> None:
        super().__init__(expire_on_commit=False, join_transaction_mode="rollback_only", **options)
        self._begin = begin
        self.written = written

    def get_bind(self, *_arguments: Any, **_options: Any) -> Connection:
        return self._begin().connection


@event.listens_for(_UnitSession, "after_flush")
def _note_entities(session: _UnitSession, _context: object) -> None:
    for entity in (*session.new, *session.dirty, *session.deleted):
        session.written.add(entity.__tablename__)


@event.listens_for(_UnitSession, "do_orm_execute")
def _note_statement(state: ORMExecuteState) -> None:
    session: Any = state.session
    statement: Any = state.statement
    session.written |= tables_written_by(statement)
