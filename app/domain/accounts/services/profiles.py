from dataclasses import dataclass
from uuid import UUID

from app.domain.accounts.dtos import ProfileRead, ProfileUpdate
from app.domain.accounts.events import ProfileUpdated
from app.domain.accounts.models import Profile
from app.domain.accounts.repositories import ProfileRepository
from app.lib.db.uow import UnitOfWork
from app.lib.db.versions import IfMatch
from app.lib.events import Events


@dataclass
class ProfileService:
    """Updates profiles, which are created with their users."""

    unit: UnitOfWork
    events: Events
    _profiles: ProfileRepository

    async def update(self, user_id: UUID, data: ProfileUpdate, if_match: IfMatch) -> ProfileRead:
        """Raises ``ProfileNotFound`` or ``PreconditionFailed``."""
        profile = await self._profiles.get_for_update(user_id, if_match, by=Profile.user_id)
        await self._profiles.update(profile, data)
        await self.events.publish(self.unit, ProfileUpdated(user_id=user_id))
        return (await self._profiles.get_person(user_id)).to_read(own=True)
