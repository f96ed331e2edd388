from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.realtime.limits import TICKET_SECONDS
from app.domain.realtime.models import RealtimeTicket
from app.lib.db.instants import database_now, database_now_plus


class TicketRepository:
    """By the database's clock: who makes a ticket and who takes it may be different machines."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, digest: bytes, session_id: UUID) -> datetime:
        """Until when it is good."""
        added = await self._session.execute(
            insert(RealtimeTicket)
            .values(digest=digest, session_id=session_id, expires_at=database_now_plus(TICKET_SECONDS))
            .returning(RealtimeTicket.expires_at)
        )
        return added.scalar_one()

    async def take(self, digest: bytes) -> UUID | None:
        """The session of a ticket that is good, by exactly one of many who try."""
        taken = await self._session.execute(
            delete(RealtimeTicket)
            .where(RealtimeTicket.digest == digest, RealtimeTicket.expires_at > database_now())
            .returning(RealtimeTicket.session_id)
            .execution_options(synchronize_session=False)
        )
        return taken.scalar_one_or_none()

    async def purge(self) -> None:
        """Removes those that nobody took in time."""
        await self._session.execute(delete(RealtimeTicket).where(RealtimeTicket.expires_at <= database_now()))
