from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import bindparam, delete, insert

from app.domain.realtime.models import RealtimeTicket
from app.lib.db.base import table_of
from app.lib.db.instants import database_now, database_now_plus
from app.lib.db.prepared import prepare
from app.lib.db.repositories import Repository
from app.lib.db.statements import delete_batch

TICKET_SECONDS: Final = 30.0

_tickets = table_of(RealtimeTicket)
_create = prepare(
    insert(_tickets)
    .values(
        digest=bindparam("digest"), session_id=bindparam("session_id"), expires_at=database_now_plus(TICKET_SECONDS)
    )
    .returning(_tickets.c.expires_at),
    datetime,
)
_take = prepare(
    delete(_tickets)
    .where(_tickets.c.digest == bindparam("digest"), _tickets.c.expires_at > database_now())
    .returning(_tickets.c.session_id),
    UUID,
)
_purge = prepare(delete_batch(_tickets, _tickets.c.expires_at <= database_now()))


class TicketRepository(Repository):
    """By the database's clock: a ticket may be made on one machine and taken on another."""

    async def create(self, digest: bytes, session_id: UUID) -> datetime:
        """Returns when the ticket expires."""
        expires_at = await self.unit.first(_create, digest=digest, session_id=session_id)
        assert expires_at is not None  # noqa: S101 - RETURNING of an INSERT that did not fail
        return expires_at

    async def take(self, digest: bytes) -> UUID | None:
        """The session of a ticket, for exactly one of many who try."""
        return await self.unit.first(_take, digest=digest)

    async def purge(self) -> int:
        """Deletes a batch of those that were not used in time. Returns its size."""
        return await self.unit.execute(_purge)
