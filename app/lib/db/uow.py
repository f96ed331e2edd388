"""One request, one transaction: the unit of work."""

from collections.abc import Callable
from contextlib import suppress

import msgspec
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession


class UnitOfWork:
    """The session of one request (or job), and what this process is told once it is committed."""

    def __init__(self, session: AsyncSession, emit: Callable[[msgspec.Struct], None]) -> None:
        self.session = session
        self._emit = emit
        self._signals: list[msgspec.Struct] = []

    def signal(self, signal: msgspec.Struct) -> None:
        """Emits a signal right after a successful commit, before the response starts.

        For what lives in this process only, such as a cached principal that is no longer true. Whatever must
        survive a crash is a row in the same transaction instead.
        """
        self._signals.append(signal)

    async def commit(self) -> None:
        """Commits and emits the signals. A failed commit raises, and emits none."""
        await self.session.commit()
        signals, self._signals = self._signals, []
        for signal in signals:
            self._emit(signal)

    async def rollback(self) -> None:
        """Undoes the work and forgets the signals. Does not fail: a connection that is lost has nothing to undo."""
        self._signals.clear()
        with suppress(SQLAlchemyError):
            await self.session.rollback()
