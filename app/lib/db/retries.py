"""Work that lost a race runs again, inside the request, so that the client does not notice."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from sqlalchemy import text

from app.lib.db.engine import Database
from app.lib.db.faults import DATABASE_ERRORS, DatabaseUnavailable, is_retryable
from app.lib.db.prepared import prepare
from app.lib.db.turns import NotYourTurn
from app.lib.db.uow import UnitOfWork

T = TypeVar("T")

ATTEMPTS = 5
PATIENCE_SECONDS = 2.0
"""Work that began longer ago is not tried again: what it waits for is held for long, and it holds a connection."""

_FIRST_WAIT = 0.02
_SAVEPOINT, _GO_BACK = prepare(text("SAVEPOINT attempt")), prepare(text("ROLLBACK TO SAVEPOINT attempt"))


async def in_savepoint(
    unit: UnitOfWork, work: Callable[[], Awaitable[T]], *, also: tuple[type[Exception], ...] = ()
) -> T:
    """Runs the work in a savepoint of the unit's transaction, up to five times with growing random waits.

    Again after a deadlock, a serialization failure or a lock that could not be had, and after the errors in ``also``,
    for :data:`PATIENCE_SECONDS`; the last one is raised. Going back to the savepoint gives up its locks but keeps those
    taken before, so it must be the locks of the work itself that others wait for. The work must be statements only:
    entities would not go back. Raises ``DatabaseUnavailable`` when the connection is lost in the middle.

    Work that has to wait for its turn (:meth:`UnitOfWork.take_turn`) begins again in another transaction, so write
    nothing before it.

    A transaction that has not begun needs no savepoint, because there is nothing before the work to be kept.
    """
    has_begun = unit.has_begun

    async def attempt() -> T:
        if has_begun:  # the savepoint is never released: the commit does that, and others may wait for it
            await unit.execute(_SAVEPOINT)
        try:
            return await work()
        except NotYourTurn:  # the whole transaction begins again
            raise
        except Exception:
            try:
                await (unit.go_back(_GO_BACK) if has_begun else unit.rollback())
            except DATABASE_ERRORS as lost:  # the connection went with the work
                raise DatabaseUnavailable from lost
            raise

    return await _again(unit, attempt, also)


async def in_transaction(database: Database, work: Callable[[UnitOfWork], Awaitable[T]]) -> T:
    """Runs the work in a transaction of its own and commits it; again as :func:`in_savepoint` does it."""
    unit = database.unit()

    async def attempt() -> T:
        try:
            result = await work(unit)
            await unit.commit()
        except NotYourTurn:
            raise
        except BaseException:
            await unit.rollback()
            raise
        return result

    return await _again(unit, attempt, ())


async def _again(unit: UnitOfWork, attempt: Callable[[], Awaitable[T]], also: tuple[type[Exception], ...]) -> T:
    deadline, number = time.monotonic() + PATIENCE_SECONDS, 1
    while True:
        try:
            return await attempt()
        except NotYourTurn as exc:
            started = time.monotonic()
            await unit.restart(exc)
            deadline += time.monotonic() - started
            continue
        except Exception as exc:
            is_over = number == ATTEMPTS or time.monotonic() > deadline
            if is_over or not (isinstance(exc, also) or is_retryable(exc)):
                raise
        await asyncio.sleep(_FIRST_WAIT * 2**number * random.random())  # noqa: S311 - spreads the load, no secret
        number += 1
