"""The last step of every way in."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from app.domain.auth.dtos.sessions import TokenPair
from app.domain.auth.errors import MfaRequired
from app.domain.auth.jobs import NewDevice, mail_new_device
from app.domain.auth.repositories.mfa_tokens import MfaTokenRepository
from app.domain.auth.repositories.sessions import ENTRY
from app.domain.auth.services.devices import device_key
from app.domain.auth.services.sessions import SessionService
from app.lib import audit
from app.lib.audit import Origin
from app.lib.clock import utc_now
from app.lib.db.engine import Database
from app.lib.db.uow import UnitOfWork
from app.lib.jobs import enqueue
from app.lib.ratelimit.limiter import network_key
from app.lib.security.opaque import new_secret

_NEW_FOR = timedelta(days=1)
"""How long after a registration the first sign-in is no news."""


@dataclass
class EntryService:
    """Lets a user in who has shown who they are. Nothing else opens the first session of a sign-in."""

    unit: UnitOfWork
    database: Database
    sessions: SessionService
    origin: Origin

    async def enter(
        self, user_id: UUID, password_hash: str, *, way: str, is_strong: bool = False, kind: str = "sign_in.ok"
    ) -> TokenPair | None:
        """Opens a session; None when the user was changed since their ``password_hash`` was read, or is not active.

        ``way`` names how they came, for the audit log, where the session is of this ``kind``. ``is_strong`` says that
        it is as good as two factors. Raises ``MfaRequired``, with a token for the second step, when it is not
        and the user has a second factor.
        """
        pair = await self.sessions.begin(user_id, password_hash, kind=kind, way=way)
        if pair is None:
            return None
        # The user is locked by now, so that one who adds a factor at the same time either finds this session and ends
        # it, or is found here.
        device, now = device_key(self.origin), utc_now()
        found = await self.unit.first(ENTRY, user_id=user_id, device_key=device, new_since=now - _NEW_FOR)
        if found is not None and found.has_second_factor and not is_strong:
            await self.unit.rollback()
            await self._ask_for_factor(user_id, password_hash, way)
            return None
        if found is not None and found.is_crowded:
            await self.sessions.end_oldest(user_id)
        if found is not None and not found.is_known_device:
            await enqueue(self.unit, mail_new_device, NewDevice(user_id, device))
        return pair

    async def _ask_for_factor(self, user_id: UUID, password_hash: str, way: str) -> None:
        """Raises ``MfaRequired`` with a token for the second step, unless the user was changed just now."""
        token = new_secret()
        async with self.database.independent() as unit:
            network, tokens = network_key(self.origin.address) or "", MfaTokenRepository(unit)
            if not await tokens.create(token, user_id, password_hash, way, network, utc_now()):
                return
            await audit.record(unit, "sign_in.mfa_required", self.origin, subject_id=user_id, way=way)
        raise MfaRequired(token)
