import secrets
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from app.domain.accounts.errors import BeyondOwnRights, OwnAccess
from app.domain.accounts.repositories.users import UserRepository
from app.domain.accounts.services.access import check_reach
from app.domain.auth.dtos.sessions import ImpersonationToken
from app.domain.auth.errors import NotImpersonable
from app.domain.auth.events import SessionsEnded
from app.domain.auth.repositories.sessions import SessionRepository, SessionRow
from app.domain.auth.services.tokens import TokenIssuer
from app.lib import audit
from app.lib.audit import Origin
from app.lib.clock import utc_now
from app.lib.db.base import new_id
from app.lib.db.uow import UnitOfWork
from app.lib.events import Events
from app.lib.security.principal import Principal

LIFETIME = timedelta(hours=1)


@dataclass
class ImpersonationService:
    """Lets support act as a user, to see what they see."""

    unit: UnitOfWork
    issuer: TokenIssuer
    events: Events
    origin: Origin
    _users: UserRepository
    _sessions: SessionRepository

    async def impersonate(self, user_id: UUID, actor: Principal) -> ImpersonationToken:
        """Opens a session of the user for the actor, without a refresh token, in place of the one before. Never of a
        superuser, nor of a user who has more rights than the actor.

        Raises ``UserNotFound``, ``OwnAccess``, ``BeyondOwnRights`` or ``NotImpersonable``.
        """
        user = await self._users.get_for_update(user_id, key_share=True)
        if user.id == actor.user_id:
            raise OwnAccess
        await check_reach(actor, user, self._users)
        if user.is_superuser:
            raise BeyondOwnRights
        now = utc_now()
        await self._sessions.end_support(user.id, actor.user_id, now)
        await self.events.publish(self.unit, SessionsEnded(user_id=user.id))
        row = SessionRow(
            id=new_id(),
            user_id=user.id,
            secret=secrets.token_bytes(32),
            generation=1,
            rotated_at=now,
            idle_expires_at=now + LIFETIME,
            expires_at=now + LIFETIME,
            revoked_at=None,
        )
        # Neither the place nor the device are the user's.
        device = {"address": None, "user_agent": None, "device_key": row.id.bytes}
        if user.is_service or not await self._sessions.create(row, user.password_hash, support=actor, **device):
            raise NotImpersonable
        session = {"session_id": str(row.id)}
        await self._record("impersonation.started", actor.user_id, user_id=str(user.id), **session)
        await self._record("session.impersonated", user.id, impersonator_id=str(actor.user_id), **session)
        token = self.issuer.signer.issue_access(user.id, row.id, now, LIFETIME, actor_id=actor.user_id)
        return ImpersonationToken(
            access_token=token,
            token_type="bearer",  # noqa: S106 - the name of a scheme
            expires_in=int(LIFETIME.total_seconds()),
        )

    async def _record(self, kind: str, subject_id: UUID, **details: str) -> None:
        """Twice for each session: in the log of the actor, and in that of the user."""
        await audit.record(self.unit, kind, self.origin, subject_id=subject_id, **details)
