"""Identities at other providers, made in the database."""

from uuid import UUID

from sqlalchemy import insert

from app.core import Core
from app.domain.identities.models import Identity
from app.lib.clock import utc_now
from app.lib.db.base import new_id


async def identity_of(user_id: UUID, core: Core) -> UUID:
    """One of GitHub."""
    identity_id = new_id()
    values = {"id": identity_id, "user_id": user_id, "provider": "github", "issuer": f"https://{identity_id}.example"}
    async with core.database.independent() as unit:
        await unit.session.execute(
            insert(Identity).values(**values, subject="4711", email=None, linked_at=utc_now(), last_used_at=None)
        )
    return identity_id
