import secrets
from uuid import UUID

from app.domain.accounts.repositories import AccountReads
from app.domain.accounts.rows import CredentialRow
from app.domain.accounts.services.credentials import CredentialService
from app.domain.accounts.services.passwords import Passwords
from app.domain.auth.dtos import SignIn, TokenPair
from app.domain.auth.errors import AccountInactive, EmailUnverified, InvalidCredentials
from app.domain.auth.events import SignedIn
from app.domain.auth.repositories import SessionReads, SessionRepository
from app.domain.auth.services.tokens import TokenIssuer
from app.lib import audit
from app.lib.audit import Origin
from app.lib.clock import utc_now
from app.lib.db.base import new_id
from app.lib.db.engine import Database
from app.lib.db.uow import UnitOfWork
from app.lib.events import Events
from app.lib.ratelimit.throttle import Throttle
from app.lib.security.emails import lookup_key


class SignInService:
    """Passwords against tokens."""

    def __init__(
        self,
        *,
        unit: UnitOfWork,
        database: Database,
        reads: AccountReads,
        session_reads: SessionReads,
        passwords: Passwords,
        credentials: CredentialService,
        throttle: Throttle,
        issuer: TokenIssuer,
        events: Events,
        origin: Origin,
        require_verified: bool,
    ) -> None:
        self.unit = unit
        self.database = database
        self.reads = reads
        self.session_reads = session_reads
        self.passwords = passwords
        self.credentials = credentials
        self.throttle = throttle
        self.issuer = issuer
        self.events = events
        self.origin = origin
        self.require_verified = require_verified

    async def sign_in(self, data: SignIn) -> TokenPair:
        """A new session.

        Raises ``InvalidCredentials``, alike in status, words and time for a wrong password and an unknown account;
        ``AccountInactive`` and ``EmailUnverified`` only after the right password; ``RateLimited``.
        """
        key = lookup_key(data.login)
        found = await self.reads.credentials(key)
        trusted = await self._is_known_device(found)
        address = self.origin.address
        await self.throttle.check(key, address, trusted=trusted)
        try:
            verified = await self._verify(found, data.password)
        except BaseException:
            await self.throttle.abandoned(key, address, trusted=trusted)
            raise
        if found is None or not verified:
            locked = await self.throttle.failed(key, address, trusted=trusted)
            await self._refused(found, "sign_in.locked_out" if locked else "sign_in.failed")
            raise InvalidCredentials
        await self.throttle.succeeded(key, address, trusted=trusted)
        await self._check_status(found)
        if self.passwords.hasher.needs_rehash(found.password_hash):
            await self.credentials.rehash(found.id, found.password_hash, data.password)
        return await self._open_session(found.id)

    async def _is_known_device(self, found: CredentialRow | None) -> bool:
        """Asked for unknown accounts too, so that both take the same time."""
        user_id = found.id if found else UUID(int=0)
        return await self.session_reads.has_session_at(user_id, self.origin.address or "", utc_now())

    async def _verify(self, found: CredentialRow | None, password: str) -> bool:
        if found is None:
            await self.passwords.hasher.verify_nobody(password)
            return False
        return await self.passwords.hasher.verify(found.password_hash, password)

    async def _check_status(self, found: CredentialRow) -> None:
        if not found.is_active:
            await self._refused(found, "sign_in.inactive")
            raise AccountInactive
        if self.require_verified and not found.is_verified:
            await self._refused(found, "sign_in.unverified")
            raise EmailUnverified

    async def _refused(self, found: CredentialRow | None, kind: str) -> None:
        """Recorded in a transaction of its own, because the request's is rolled back."""
        async with self.database.independent() as unit:
            await audit.record(unit.session, kind, self.origin, subject_id=found.id if found else None)

    async def _open_session(self, user_id: UUID) -> TokenPair:
        now, lifetimes = utc_now(), self.issuer.lifetimes
        session_id, secret = new_id(), secrets.token_bytes(32)
        idle_expires_at = now + min(lifetimes.idle, lifetimes.absolute)
        await SessionRepository(self.unit.session).add(
            {
                "id": session_id,
                "user_id": user_id,
                "secret": secret,
                "generation": 1,
                "rotated_at": now,
                "idle_expires_at": idle_expires_at,
                "expires_at": now + lifetimes.absolute,
                "authenticated_at": now,
                "created_at": now,
                "last_seen_at": now,
                "address": self.origin.address,
                "user_agent": self.origin.user_agent,
            }
        )
        await audit.record(self.unit.session, "sign_in.ok", self.origin, subject_id=user_id, session_id=str(session_id))
        await self.events.publish(SignedIn(user_id, session_id), self.unit)
        return self.issuer.issue(
            user_id=user_id,
            session_id=session_id,
            secret=secret,
            generation=1,
            rotated_at=now,
            idle_expires_at=idle_expires_at,
            now=now,
        )
