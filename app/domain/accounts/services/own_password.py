from app.domain.accounts.dtos import PasswordChange
from app.domain.accounts.errors import UserNotFound, WrongCurrentPassword
from app.domain.accounts.repositories import AccountReads
from app.domain.accounts.rows import CredentialRow
from app.domain.accounts.services.credentials import CredentialService
from app.domain.accounts.services.passwords import Passwords
from app.lib import audit
from app.lib.audit import Origin
from app.lib.db.engine import Database
from app.lib.errors import FieldCode, FieldError
from app.lib.ratelimit.throttle import Throttle
from app.lib.security.principal import Principal

_SAME = FieldError(
    pointer="/new_password", code=FieldCode.WEAK_PASSWORD, detail="Must differ from the current password."
)


class OwnPasswordService:
    """People change their own password; to know the old one is their proof."""

    def __init__(
        self,
        credentials: CredentialService,
        reads: AccountReads,
        passwords: Passwords,
        throttle: Throttle,
        database: Database,
        origin: Origin,
    ) -> None:
        self.credentials = credentials
        self.reads = reads
        self.passwords = passwords
        self.throttle = throttle
        self.database = database
        self.origin = origin

    async def change(self, data: PasswordChange, actor: Principal) -> None:
        """The actor's other sessions end.

        Raises ``WrongCurrentPassword``, ``RateLimited`` after too many of these, ``ValidationFailed`` for a new
        password that is weak or none, or ``PasswordChangedMeanwhile``.
        """
        current, person = await self.reads.credentials_of(actor.user_id), await self.reads.user(actor.user_id)
        if current is None or person is None:
            raise UserNotFound
        await self._prove(current, data.current_password)
        new_hash = await self.passwords.accept(
            data.new_password,
            pointer="/new_password",
            email=person.email,
            name=person.name,
            username=person.username,
            others=[_SAME] if data.new_password == data.current_password else (),
        )
        await self.credentials.replace(actor.user_id, current.password_hash, new_hash, kept_session_id=actor.session_id)

    async def _prove(self, current: CredentialRow, password: str) -> None:
        """Whoever took over a session must not find out the password by trying."""
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
        await self.throttle.failed(key, address)
        async with self.database.independent() as unit:
            await audit.record(unit, "password.refused", self.origin, subject_id=current.id)
        raise WrongCurrentPassword
