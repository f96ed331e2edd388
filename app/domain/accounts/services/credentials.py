from uuid import UUID

from app.domain.accounts.errors import PasswordChangedMeanwhile, UserNotFound
from app.domain.accounts.events import PasswordChanged
from app.domain.accounts.models import User
from app.domain.accounts.repositories import AccountReads, UserRepository
from app.domain.accounts.services.passwords import Passwords
from app.lib import audit
from app.lib.audit import Origin
from app.lib.db.uow import UnitOfWork
from app.lib.events import Events


class CredentialService:
    """Passwords of existing accounts."""

    def __init__(
        self, unit: UnitOfWork, reads: AccountReads, passwords: Passwords, events: Events, origin: Origin
    ) -> None:
        self.unit = unit
        self.reads = reads
        self.passwords = passwords
        self.events = events
        self.origin = origin
        self.users = UserRepository(session=unit.session)

    async def set_for(self, user: User, password: str) -> None:
        """An operator sets somebody's password; all their sessions end. Raises ``ValidationFailed``."""
        new_hash = await self.passwords.accept(
            password, pointer="/password", email=user.email, name=user.name, username=user.username
        )
        await self.replace(user.id, user.password_hash, new_hash)

    async def replace(
        self, user_id: UUID, old_hash: str, new_hash: str, *, kept_session_id: UUID | None = None
    ) -> None:
        """Sets another password and ends the user's sessions, but for the one that is kept.

        Raises ``UserNotFound``, or ``PasswordChangedMeanwhile`` when the hash is not the old one any more.
        """
        user = await self.users.lock(user_id)
        if user is None:
            raise UserNotFound
        if user.password_hash != old_hash:
            raise PasswordChangedMeanwhile
        user.password_hash = new_hash
        await self.users.flush()
        await self.events.publish(
            self.unit,
            PasswordChanged(aggregate_id=user_id, aggregate_version=user.version, kept_session_id=kept_session_id),
        )
        await audit.record(self.unit, "password.changed", self.origin, subject_id=user_id)

    async def rehash(self, user_id: UUID, old_hash: str, password: str) -> str:
        """Keeps the same password under today's parameters, unless it was changed meanwhile; returns the new hash."""
        new_hash = await self.passwords.hasher.hash(password)
        await self.users.set_password_hash(user_id, old_hash, new_hash)
        return new_hash
