"""Second factors, made in the database."""

from uuid import UUID

from sqlalchemy import insert

from app.core import Core
from app.domain.auth.models import TotpFactor
from app.lib.clock import utc_now


async def factor_of(user_id: UUID, core: Core) -> None:
    """An app that makes codes, whose secret no one has."""
    now, secret = utc_now(), core.sealer.seal(b"A" * 32, user_id.bytes)
    values = {"user_id": user_id, "secret": secret, "created_at": now, "confirmed_at": now, "last_step": 0}
    async with core.database.independent() as unit:
        await unit.session.execute(insert(TotpFactor).values(**values))
