from uuid import UUID

from app.domain.accounts.dtos import ProfileRead, ProfileUpdate
from app.domain.accounts.errors import ProfileNotFound
from app.domain.accounts.events import ProfileUpdated
from app.domain.accounts.models import Profile
from app.domain.accounts.repositories import ProfileRepository
from app.lib.db.service import EntityService
from app.lib.db.uow import UnitOfWork
from app.lib.db.versions import IfMatch
from app.lib.events import Events


class ProfileService(EntityService[Profile, ProfileRepository]):
    repository_type = ProfileRepository
    not_found = ProfileNotFound

    def __init__(self, unit: UnitOfWork, events: Events) -> None:
        super().__init__(unit)
        self.events = events

    async def replace(self, user_id: UUID, data: ProfileUpdate, if_match: IfMatch) -> ProfileRead:
        """Puts the whole profile. Raises ``ProfileNotFound`` or ``PreconditionFailed``."""
        profile = await self.repository.of(user_id)
        if profile is None:
            raise self.not_found
        if_match.check(profile.version)
        for name in data.__struct_fields__:
            setattr(profile, name, getattr(data, name))
        await self.repository.flush()
        await self.events.publish(self.unit, ProfileUpdated(user_id=user_id))
        return (await self.repository.person(user_id)).to_read(own=True)
