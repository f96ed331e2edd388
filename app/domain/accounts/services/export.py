from collections.abc import AsyncIterator
from dataclasses import dataclass

from app.lib import audit
from app.lib.audit import Origin
from app.lib.db.reader import Reader
from app.lib.db.uow import UnitOfWork
from app.lib.export import Exports, document
from app.lib.ratelimit.limiter import Limit, NamedLimit, RateLimiter
from app.lib.security.principal import Principal

PER_USER = NamedLimit("export", Limit.parse("5/hour"))


@dataclass
class ExportService:
    """Gives users what is held on them."""

    unit: UnitOfWork
    reader: Reader
    exports: Exports
    limiter: RateLimiter
    origin: Origin

    async def export(self, principal: Principal) -> AsyncIterator[bytes]:
        """A JSON object, in pieces. Raises ``RateLimited``."""
        verdict = await self.limiter.hit(PER_USER, str(principal.user_id))
        if not verdict.allowed:
            raise verdict.refusal()
        await audit.record(self.unit, "user.exported", self.origin, subject_id=principal.user_id)
        return document(self.exports, self.reader, principal.user_id)
