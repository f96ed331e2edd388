from uuid import UUID

from app.domain.realtime.dtos import TicketRead
from app.domain.realtime.repositories.tickets import TicketRepository
from app.lib.db.engine import Database
from app.lib.db.uow import UnitOfWork
from app.lib.security.opaque import digest, new_secret
from app.lib.security.principal import Principal

TICKET_LENGTH = len(new_secret())


class TicketService:
    """Tickets for clients that cannot send ``Authorization``: browsers, when they open sockets and streams."""

    async def issue(self, principal: Principal, unit: UnitOfWork) -> TicketRead:
        """A ticket in the name of the principal's session."""
        ticket = new_secret()
        expires_at = await TicketRepository(unit.session).add(digest(ticket), principal.session_id)
        return TicketRead(ticket=ticket, expires_at=expires_at)

    async def redeem(self, ticket: str, database: Database) -> UUID | None:
        """The session of a ticket, which is used up from now on. None for one that is unknown, used or too old."""
        if len(ticket) != TICKET_LENGTH or not ticket.isascii() or not ticket.isalnum():
            return None
        async with database.independent() as unit:
            return await TicketRepository(unit.session).take(digest(ticket))
