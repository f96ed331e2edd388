from dataclasses import dataclass

from app.domain.accounts.dtos import PasswordChange
from app.domain.accounts.errors import PasswordAlreadyChanged
from app.domain.accounts.services.passwords import PasswordService
from app.domain.auth.dtos.sessions import TokenPair
from app.domain.auth.services.second_factors import SecondFactorService
from app.domain.auth.services.sessions import SessionService
from app.lib.errors import ReauthRequired
from app.lib.security.principal import Principal


@dataclass
class PasswordChangeService:
    """Changes the password of a user who is signed in."""

    passwords: PasswordService
    factors: SecondFactorService
    sessions: SessionService

    async def change(self, data: PasswordChange, actor: Principal) -> TokenPair:
        """Ends all sessions, the current one too, so that its tokens are good no more, and opens another one in its
        place.

        The password is not enough for users with a second factor, whose sign-in has to be recent.
        Raises ``ReauthRequired``, ``WrongCurrentPassword``, ``RateLimited``, ``ValidationFailed`` or
        ``PasswordAlreadyChanged``.
        """
        if not actor.signed_in_recently and (await self.factors.get(actor.user_id)).is_on:
            raise ReauthRequired
        new_hash = await self.passwords.change_own(data, actor)
        pair = await self.sessions.begin(actor.user_id, new_hash, kind="session.replaced")
        if pair is None:
            raise PasswordAlreadyChanged
        return pair
