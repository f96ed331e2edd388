from collections.abc import Collection, Mapping
from datetime import datetime
from uuid import UUID

from app.domain.accounts.services.queries import AccountQueries
from app.domain.auth.authenticator import SessionAuthenticator
from app.lib.errors import InvalidToken
from app.lib.realtime.channels import Member
from app.lib.realtime.errors import TokenRefused
from app.lib.security.principal import Principal
from app.lib.wire.dto import project


class SignedInPeople:
    """People of the service, as channels need them (:class:`app.lib.realtime.channels.People`)."""

    def __init__(self, accounts: AccountQueries, authenticator: SessionAuthenticator) -> None:
        self._accounts = accounts
        self._authenticator = authenticator

    async def refresh(self, principal: Principal, token: str) -> tuple[Principal, datetime | None]:
        """The owner of a new access token, and when it expires. Raises ``TokenRefused``, also for another person's."""
        try:
            renewed = await self._authenticator.authenticate(token)
            expires_at = self._authenticator.expiry_of(token)
        except InvalidToken:
            raise TokenRefused from None
        if renewed.user_id != principal.user_id or renewed.owes:
            raise TokenRefused
        return renewed, expires_at

    async def principals(self, session_ids: Collection[UUID]) -> Mapping[UUID, Principal]:
        """Those of the sessions that are alive, and of users who owe nothing."""
        found = await self._authenticator.of_sessions(session_ids)
        return {session_id: each for session_id, each in found.items() if each.owes is None}

    async def member(self, principal: Principal) -> Member:
        """The person as others see them; of one who is deleted only the id."""
        found = (await self._accounts.list_people([principal.user_id])).get(principal.user_id)
        return Member(principal.user_id, None, None, None) if found is None else project(Member, found)
