from dataclasses import dataclass

from app.domain.accounts.dtos import PasswordChange
from app.domain.accounts.errors import PasswordAlreadyChanged
from app.domain.accounts.services.passwords import PasswordService
from app.domain.auth.dtos.sessions import TokenPair
from app.domain.auth.services.sessions import SessionService
from app.lib.security.principal import Principal


@dataclass
class PasswordChangeService:
    """Changes the password of a user who is signed in."""

    passwords: PasswordService
    sessions: SessionService

    async def change(self, data: PasswordChange, actor: Principal) -> TokenPair:
        """Ends all sessions, the current one too, so that its tokens are good no more, and opens another one in its
        place.

        Raises ``WrongCurrentPassword``, ``RateLimited``, ``ValidationFailed`` or ``PasswordAlreadyChanged``.
        """
        new_hash = await self.passwords.change_own(data, actor)
        pair = await self.sessions.begin(actor.user_id, new_hash, kind="session.replaced")
        if pair is None:
            raise PasswordAlreadyChanged
        return pair
