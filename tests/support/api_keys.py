"""API keys in the database."""

from datetime import timedelta
from uuid import UUID

from app.core import Core
from app.domain.auth.repositories.api_keys import ApiKeyRepository
from app.lib.clock import utc_now
from app.lib.db.base import new_id
from app.lib.security.opaque import digest, new_secret


async def api_key_of(user_id: UUID, core: Core) -> UUID:
    """A key of a user, whose secret is lost; its id."""
    key_id, now = new_id(), utc_now()
    values = {"id": key_id, "user_id": user_id, "name": "A key", "expires_at": now + timedelta(days=1), "scopes": ""}
    async with core.database.independent() as unit:
        await ApiKeyRepository(unit).create(now, **values, digest=digest(new_secret()))
    return key_id
