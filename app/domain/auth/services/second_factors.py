"""What all kinds of second factors have in common: their codes are tried here, and what happens when one changes."""

import secrets
from dataclasses import dataclass
from uuid import UUID

import structlog
from pyotp.exceptions import OTPVerificationError
from pyotp.totp import TOTP

from app.domain.accounts.errors import AccountGone
from app.domain.accounts.repositories.users import UserRepository
from app.domain.accounts.services.access import check_reach
from app.domain.auth.dtos.mfa import MfaRead, RecoveryCodesRead
from app.domain.auth.errors import SecondFactorOff, WrongCode
from app.domain.auth.events import FactorChange, SecondFactorChanged, SecondFactorRefused, SessionsEnded
from app.domain.auth.repositories.second_factors import (
    DELETE_FACTORS,
    HAS_SECOND_FACTOR,
    LOCK_USER,
    MFA,
    POSSIBLE_CODES,
    USE_CODE,
    USE_STEP,
    SecondFactorRepository,
)
from app.domain.auth.repositories.sessions import SessionRepository
from app.domain.auth.services.queries import SessionQueries
from app.lib import audit
from app.lib.audit import Origin
from app.lib.clock import utc_now
from app.lib.db.engine import Database
from app.lib.db.reader import Reader
from app.lib.db.uow import UnitOfWork
from app.lib.events import Events
from app.lib.ratelimit.limiter import Limit
from app.lib.ratelimit.throttle import Throttle
from app.lib.security.opaque import digest
from app.lib.security.principal import Principal
from app.lib.security.sealing import CannotUnseal, Sealer

log = structlog.get_logger(__name__)

RECOVERY_CODES = 10
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_GROUPS, _GROUP_LENGTH = 6, 4
"""Of 5 bits each: 120 bits cannot be guessed, so that a plain digest keeps them safe (ASVS 6.5.2)."""


class SecondFactorThrottle(Throttle):
    """Limits guesses at codes, whichever sign-in they belong to: one of 4 000 finds a code in a day."""

    name = "second_factor"
    per_account = Limit.parse("10 per 3 hours")
    per_account_and_address = Limit.parse("5 per 15 minutes")


@dataclass
class SecondFactorService:
    """Tries codes, makes recovery codes, and lets the owner know of every change."""

    unit: UnitOfWork
    database: Database
    reader: Reader
    session_queries: SessionQueries
    throttle: SecondFactorThrottle
    sealer: Sealer
    events: Events
    origin: Origin
    _factors: SecondFactorRepository
    _sessions: SessionRepository
    _users: UserRepository

    async def get(self, user_id: UUID) -> MfaRead:
        """Raises ``AccountGone``."""
        return await self.reader.one(MFA, AccountGone, user_id=user_id)

    async def use(self, user_id: UUID, code: str) -> str:
        """Uses a code up, and returns the kind that it is of.

        Call it before the unit has written. Raises ``WrongCode`` or ``RateLimited``.
        """
        plain = code.replace(" ", "").replace("-", "").lower()
        found = await self.reader.one(POSSIBLE_CODES, AccountGone, user_id=user_id, digest=digest(plain))
        key, address = str(user_id), self.origin.address
        trusted = await self.session_queries.knows_address(user_id, address)
        is_last = await self.throttle.check(key, address, trusted=trusted)
        step = matching_step(self.sealer, user_id, found.secret, plain) if found.secret else None
        if step is not None and step <= found.last_step:
            step = None
        if step is None and not found.is_recovery_code:
            await self._record_refusal(user_id, is_last=is_last)
            raise WrongCode
        await self.throttle.succeeded(key, address)
        if step is not None and await self.unit.execute(USE_STEP, user_id=user_id, step=step):
            return "totp"
        if found.is_recovery_code and await self.unit.execute(USE_CODE, user_id=user_id, digest=digest(plain)):
            await self._record_change(user_id, FactorChange.RECOVERY_CODE_USED)
            return "recovery_code"
        # Another request has used it a moment ago: the try counts after all.
        await self.unit.rollback()
        is_last = await self.throttle.check(key, address, trusted=trusted)
        await self._record_refusal(user_id, is_last=is_last)
        raise WrongCode

    async def lock(self, actor: Principal) -> None:
        """To be called before a factor is added or removed. Raises ``AccountGone`` or ``SessionEnded``."""
        await self.unit.one(LOCK_USER, AccountGone, user_id=actor.user_id)
        await self._sessions.check_live(actor.session_id)

    async def added(self, change: FactorChange, actor: Principal) -> RecoveryCodesRead:
        """To be called when the actor has another factor. Returns recovery codes where there were none."""
        state = await self.unit.first(MFA, user_id=actor.user_id)
        codes = [] if state and state.recovery_codes_left else await self._new_codes(actor.user_id)
        await self._end_sessions(actor.user_id, change, keep=actor.session_id)
        return RecoveryCodesRead(recovery_codes=codes)

    async def removed(self, change: FactorChange, actor: Principal) -> None:
        """To be called when the actor has one factor less. The recovery codes go with the last one."""
        if not await self.unit.first(HAS_SECOND_FACTOR, user_id=actor.user_id):
            await self._factors.set_codes(actor.user_id, ())
        await self._end_sessions(actor.user_id, change, keep=actor.session_id)

    async def renew_codes(self, actor: Principal) -> RecoveryCodesRead:
        """Other recovery codes in place of those before. Raises ``SecondFactorOff``."""
        await self.lock(actor)
        if not await self.unit.first(HAS_SECOND_FACTOR, user_id=actor.user_id):
            raise SecondFactorOff
        codes = await self._new_codes(actor.user_id)
        await self._end_sessions(actor.user_id, FactorChange.RECOVERY_CODES_RENEWED, keep=actor.session_id)
        return RecoveryCodesRead(recovery_codes=codes)

    async def turn_off(self, user_id: UUID, actor: Principal | None) -> None:
        """Removes all factors of a user who has lost them, and ends their sessions. ``actor`` is None at the command
        line.

        Raises ``UserNotFound``, ``BeyondOwnRights`` or ``SecondFactorOff``.
        """
        user = await self._users.get_for_update(user_id)
        if actor is not None:
            await check_reach(actor, user, self._users)
        if not await self.unit.first(HAS_SECOND_FACTOR, user_id=user_id):
            raise SecondFactorOff
        for statement in DELETE_FACTORS:
            await self.unit.execute(statement, user_id=user_id)
        await self._end_sessions(user_id, FactorChange.TURNED_OFF, keep=None)

    async def _new_codes(self, user_id: UUID) -> list[str]:
        codes = [
            "-".join("".join(secrets.choice(_ALPHABET) for _ in range(_GROUP_LENGTH)) for _ in range(_GROUPS))
            for _ in range(RECOVERY_CODES)
        ]
        await self._factors.set_codes(user_id, [digest(each.replace("-", "")) for each in codes])
        return codes

    async def _end_sessions(self, user_id: UUID, change: FactorChange, *, keep: UUID | None) -> None:
        await self._sessions.revoke_all(user_id, utc_now(), "second_factor_changed", keep=keep)
        await self.events.publish(self.unit, SessionsEnded(user_id=user_id))
        await self._record_change(user_id, change)

    async def _record_change(self, user_id: UUID, change: FactorChange) -> None:
        state = await self.unit.first(MFA, user_id=user_id)
        left = state.recovery_codes_left if state else 0
        changed = SecondFactorChanged(aggregate_id=user_id, aggregate_version=0, change=change, codes_left=left)
        await self.events.publish(self.unit, changed)
        await audit.record(self.unit, f"mfa.{change}", self.origin, subject_id=user_id, recovery_codes_left=left)

    async def _record_refusal(self, user_id: UUID, *, is_last: bool) -> None:
        """In its own transaction, because the request's is rolled back. Many refusals are worth a mail: the password
        was right each time.
        """
        await self.unit.rollback()
        async with self.database.independent() as unit:
            await audit.record(unit, "mfa.locked_out" if is_last else "mfa.refused", self.origin, subject_id=user_id)
            if is_last:
                await self.events.publish(unit, SecondFactorRefused(aggregate_id=user_id, aggregate_version=0))


def matching_step(sealer: Sealer, user_id: UUID, sealed: bytes, code: str) -> int | None:
    """The time step whose code it is: this one, the one before or the next (RFC 6238 section 5.2)."""
    try:
        totp = TOTP(sealer.open(sealed, user_id.bytes).decode())
        return totp.verify_and_get_timecode(code, for_time=utc_now(), valid_window=1)
    except OTPVerificationError:
        return None
    except CannotUnseal:  # the recovery codes are good all the same
        log.error("mfa.secret_unreadable", user_id=str(user_id))  # noqa: TRY400 - nothing to trace
        return None
