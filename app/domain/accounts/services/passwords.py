"""Passwords of users: which are accepted, how they are stored, and how they change."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from app.domain.accounts.dtos import PasswordChange, Registration
from app.domain.accounts.errors import PasswordAlreadyChanged, UserNotFound, WrongCurrentPassword
from app.domain.accounts.events import PasswordChanged
from app.domain.accounts.models import User
from app.domain.accounts.repositories.users import REHASH, UserRepository
from app.domain.accounts.rows import CredentialRow
from app.domain.accounts.services.queries import AccountQueries
from app.domain.accounts.settings import AccountSettings
from app.lib import audit
from app.lib.audit import Origin
from app.lib.db.engine import Database
from app.lib.db.uow import UnitOfWork
from app.lib.errors import FieldCode, FieldError, ValidationFailed
from app.lib.events import Events
from app.lib.ratelimit.limiter import Limit, RateLimiter
from app.lib.ratelimit.throttle import Throttle
from app.lib.security.password_policy import PasswordPolicy
from app.lib.security.passwords import PasswordHasher, composed
from app.lib.security.principal import Principal

_SAME = FieldError(
    pointer="/new_password", code=FieldCode.WEAK_PASSWORD, detail="Must differ from the current password."
)


@dataclass
class Passwords:
    """The policy and the hasher together: no password is hashed that was not accepted."""

    hasher: PasswordHasher
    policy: PasswordPolicy

    async def accept(
        self,
        password: str,
        owner: User | CredentialRow | Registration,
        *,
        pointer: str = "/password",
        others: Iterable[FieldError] = (),
    ) -> str:
        """The hash of a new password of its owner. Raises ``ValidationFailed`` with everything that is wrong with it.

        ``others`` are errors of the same request that are known already, so that one refusal names them all.
        Call it before the transaction begins: hashing takes milliseconds, and SQLite has one writer.
        """
        flaws = self.policy.check(
            password, email=owner.email, name=owner.name, username=owner.username, pointer=pointer
        )
        if errors := [*others, *flaws]:
            raise ValidationFailed(errors)
        return await self.hasher.hash(password)


class SignInThrottle(Throttle):
    """Limits wrong passwords, at sign-in and wherever the current one is asked for."""

    name = "sign_in"
    per_account = Limit.parse("50 per hour")
    per_account_and_address = Limit.parse("10 per 15 minutes")

    def __init__(self, limiter: RateLimiter, settings: AccountSettings) -> None:
        self.per_address = Limit.parse(settings.rate_limit_wrong_passwords)
        self.together = Limit.parse(settings.rate_limit_wrong_passwords_together)
        super().__init__(limiter)


@dataclass
class PasswordService:
    """Changes passwords of existing users."""

    unit: UnitOfWork
    database: Database
    accounts: AccountQueries
    passwords: Passwords
    throttle: SignInThrottle
    events: Events
    origin: Origin
    _users: UserRepository

    async def change_own(self, data: PasswordChange, actor: Principal) -> str:
        """Changes the password of a user who knows the current one, and ends their sessions. Returns the new hash.

        Raises ``WrongCurrentPassword``, ``RateLimited`` after too many of these, ``ValidationFailed`` for a new
        password that is weak or the same, or ``PasswordAlreadyChanged``.
        """
        current = await self.verify_own(data.current_password, actor)
        new_hash = await self.passwords.accept(
            data.new_password,
            current,
            pointer="/new_password",
            others=[_SAME] if composed(data.new_password) == composed(data.current_password) else (),
        )
        await self._replace(current, new_hash, "password.changed")
        return new_hash

    async def verify_own(self, password: str, actor: Principal, *, pointer: str = "/current_password") -> CredentialRow:
        """The user who is signed in, if this is their password. ``pointer`` is where it stands in the body.

        Raises ``WrongCurrentPassword``, ``RateLimited`` after too many of these, or ``AccountGone``.
        """
        current = await self.accounts.get_credentials(actor.user_id)
        await self._verify(current, password, pointer)
        return current

    async def set_password(self, user_id: UUID, password: str) -> None:
        """Sets a password at the command line and ends the user's sessions.

        Raises ``UserNotFound``, ``ValidationFailed`` or ``PasswordAlreadyChanged``.
        """
        user = await self.accounts.get_credentials(user_id, UserNotFound)
        await self.replace(user, await self.passwords.accept(password, user))

    async def rehash(self, user_id: UUID, old_hash: str, password: str) -> str:
        """Hashes the same password with today's parameters and returns the new hash. It stays although the request is
        refused, because a second factor is missing.
        """
        new_hash = await self.passwords.hasher.hash(password)
        async with self.database.independent() as unit:
            await unit.execute(REHASH, user_id=user_id, old_hash=old_hash, new_hash=new_hash)
        return new_hash

    async def replace(
        self, current: CredentialRow, new_hash: str, *, kind: str = "password.changed", takes_back: bool = False
    ) -> None:
        """Replaces the hash of a user's password with one that was accepted, and ends their sessions and API keys: for
        users who do not know the current one.

        ``takes_back`` says that the owner takes the account back from a stranger: second factors, passkeys and linked
        providers go as well. ``kind`` is that of the audit log. Raises ``PasswordAlreadyChanged`` when ``current`` is
        out of date.
        """
        await self._replace(current, new_hash, kind, is_recovery=True, is_taken_back=takes_back)

    async def _replace(self, current: CredentialRow, new_hash: str, kind: str, **how: bool) -> None:
        user = await self._users.get_for_update(current.id)
        if user.password_hash != current.password_hash:
            raise PasswordAlreadyChanged
        await self._users.update(user, {"password_hash": new_hash, "must_change_password": False})
        changed = PasswordChanged(aggregate_id=user.id, aggregate_version=user.version, **how)
        await self.events.publish(self.unit, changed)
        await audit.record(self.unit, kind, self.origin, subject_id=user.id)

    async def _verify(self, current: CredentialRow, password: str, pointer: str) -> None:
        """Attempts are limited: a stolen session must not be enough to find out the password by trying."""
        key, address = f"password\n{current.id}", self.origin.address  # no name at sign-in has a line break
        await self.throttle.check(key, address)
        try:
            verified = await self.passwords.hasher.verify(current.password_hash, password)
        except BaseException:
            await self.throttle.abandoned(key, address)
            raise
        if verified:
            await self.throttle.succeeded(key, address)
            return
        async with self.database.independent() as unit:
            await audit.record(unit, "password.refused", self.origin, subject_id=current.id)
        raise WrongCurrentPassword(pointer)
