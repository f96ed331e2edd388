"""The audit log as tests look at it."""

from typing import Any

from litestar import Litestar
from sqlalchemy import Row, select

from app.lib.audit import AuditEvent
from app.lib.audit.chain import Chainer
from tests.support.apps import core_of


async def chain(app: Litestar) -> None:
    """What workers do in the background."""
    await Chainer(core_of(app).database).chain()


async def audited(app: Litestar, *kinds: str) -> list[Row[Any]]:
    """The audit log's rows of these kinds, or all, in their order."""
    await chain(app)
    table: Any = AuditEvent.__table__
    rows = select(table).order_by(AuditEvent.id)
    async with core_of(app).database.independent() as unit:
        return list(await unit.session.execute(rows.where(AuditEvent.kind.in_(kinds)) if kinds else rows))
