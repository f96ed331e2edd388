from uuid import UUID

from app.domain.accounts.dtos import PasswordChange
from app.domain.accounts.errors import UserNotFound
from app.domain.accounts.events import PasswordChanged
from app.domain.accounts.models import User
from app.domain.accounts.repositories import AccountReads, UserRepository
from app.domain.accounts.services.passwords import Passwords
from app.lib import audit
from app.lib.audit import Origin
from app.lib.db.uow import UnitOfWork
from app.lib.errors import AppError, ErrorCode, FieldCode, FieldError
from app.lib.events import Events
from app.lib.security.principal import Principal


class WrongCurrentPassword(AppError):
    """403 and not 401: the token is good, so a client must not throw its session away."""

    status = 403
    code = ErrorCode.INVALID_CREDENTIALS
    detail = "The current password is not right."

    def __init__(self) -> None:
        error = FieldError(pointer="/current_password", code=FieldCode.INVALID_CHOICE, detail="Is not right.")
        super().__init__(errors=[error])


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

    async def change_own(self, data: PasswordChange, actor: Principal) -> None:
        """A person changes their password; their other sessions end.

        Raises ``WrongCurrentPassword``, or ``ValidationFailed`` for a weak one.
        """
        credentials = await self.reads.credentials_of(actor.user_id)
        if credentials is None:
            raise UserNotFound
        if not await self.passwords.hasher.verify(credentials.password_hash, data.current_password):
            raise WrongCurrentPassword
        person = await self.reads.user(actor.user_id)
        if person is None:
            raise UserNotFound
        new_hash = await self.passwords.accept(
            data.new_password, pointer="/new_password", email=person.email, name=person.name, username=person.username
        )
        await self._set(actor.user_id, new_hash, keep=actor.session_id)

    async def set_for(self, user: User, password: str) -> None:
        """An operator sets somebody's password; all their sessions end. Raises ``ValidationFailed``."""
        new_hash = await self.passwords.accept(
            password, pointer="/password", email=user.email, name=user.name, username=user.username
        )
        await self._set(user.id, new_hash, keep=None)

    async def rehash(self, user_id: UUID, old_hash: str, password: str) -> None:
        """Keeps the same password under today's parameters."""
        await self.users.set_password_hash(user_id, old_hash, await self.passwords.hasher.hash(password))

    async def _set(self, user_id: UUID, new_hash: str, *, keep: UUID | None) -> None:
        user = await self.users.lock(user_id)
        if user is None:
            raise UserNotFound
        user.password_hash = new_hash
        await self.users.flush()
        await self.events.publish(PasswordChanged(user_id, keep), self.unit)
        await audit.record(self.unit.session, "password.changed", self.origin, subject_id=user_id)
