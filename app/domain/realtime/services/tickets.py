from app.domain.auth.authenticator import SessionAuthenticator
from app.domain.auth.errors import SessionEnded
from app.domain.realtime.dtos import TicketRead
from app.domain.realtime.repositories import CREATE_TICKET, TAKE_TICKET
from app.lib.db.engine import Database
from app.lib.db.uow import UnitOfWork
from app.lib.errors import InvalidToken
from app.lib.security.opaque import digest, new_secret
from app.lib.security.principal import Principal

_LENGTH = len(new_secret())


async def create_ticket(principal: Principal, unit: UnitOfWork) -> TicketRead:
    """A ticket in the name of the principal's session."""
    ticket = new_secret()
    expires_at = await unit.first(CREATE_TICKET, digest=digest(ticket), session_id=principal.session_id)
    assert expires_at is not None  # noqa: S101 - RETURNING of an INSERT that did not fail
    return TicketRead(ticket=ticket, expires_at=expires_at)


class TicketDesk:
    """Takes tickets from clients that cannot send ``Authorization``: browsers, when they open sockets and streams."""

    def __init__(self, database: Database, authenticator: SessionAuthenticator) -> None:
        self._database = database
        self._authenticator = authenticator

    async def take(self, ticket: str) -> Principal:
        """The owner of a ticket, which is used up from now on. Raises ``InvalidToken``, also when the session has
        ended.
        """
        session_id = None
        if len(ticket) == _LENGTH and ticket.isascii() and ticket.isalnum():
            async with self._database.independent() as unit:
                session_id = await unit.first(TAKE_TICKET, digest=digest(ticket))
        if session_id is None:
            raise InvalidToken("The ticket is unknown, was used before, or has expired. Get a new one.")
        principal = (await self._authenticator.of_sessions([session_id])).get(session_id)
        if principal is None:
            raise SessionEnded
        return principal
