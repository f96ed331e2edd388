from dataclasses import dataclass
from uuid import UUID

from app.domain.accounts.errors import UserNotFound
from app.domain.notifications.dtos import NotificationPreferencesRead, NotificationPreferencesUpdate, Topic
from app.domain.notifications.repositories import PREFERENCE, RECIPIENT, PreferenceRepository
from app.domain.notifications.services.links import UnsubscribeLinks
from app.lib.db.reader import Reader
from app.lib.db.uow import UnitOfWork
from app.lib.db.versions import IfMatch
from app.lib.wire.dto import provided


@dataclass
class PreferenceService:
    """Users choose which mails they receive."""

    unit: UnitOfWork
    _preferences: PreferenceRepository

    async def update(
        self, user_id: UUID, data: NotificationPreferencesUpdate, if_match: IfMatch
    ) -> NotificationPreferencesRead:
        """Raises ``UserNotFound`` or ``PreconditionFailed``."""
        await self.unit.one(RECIPIENT, UserNotFound, user_id=user_id)
        return await self._set(user_id, provided(data), if_match)

    async def unsubscribe(self, user_id: UUID, topic: Topic) -> None:
        """Does nothing when the user is unsubscribed already, or deleted."""
        if await self.unit.first(RECIPIENT, user_id=user_id) is not None:
            await self._set(user_id, {topic.value: False}, IfMatch())

    async def _set(self, user_id: UUID, wanted: dict[str, bool], if_match: IfMatch) -> NotificationPreferencesRead:
        row = await self._preferences.get_or_create_for_update(user_id)
        if_match.check(row.version)
        muted = {topic for topic in row.muted if topic not in wanted} | {each for each in wanted if not wanted[each]}
        if muted != set(row.muted):
            row.muted = sorted(muted)
        await self._preferences.update(row)
        return _to_read(row.muted, row.version)


@dataclass
class PreferenceQueries:
    """What users are shown of their preferences; reads only."""

    reader: Reader

    async def get(self, user_id: UUID) -> NotificationPreferencesRead:
        """Raises ``UserNotFound``."""
        row = await self.reader.one(PREFERENCE, UserNotFound, user_id=user_id)
        return _to_read(row.muted or [], row.version)


@dataclass
class UserSubscriptions:
    """What the kit's mail asks about users."""

    reader: Reader
    links: UnsubscribeLinks

    async def wants(self, user_id: UUID, topic: str) -> bool:
        row = await self.reader.first(PREFERENCE, user_id=user_id)
        return row is None or topic not in (row.muted or ())

    def unsubscribe_url(self, user_id: UUID, topic: str) -> str:
        return self.links.url(user_id, topic)


def _to_read(muted: list[str], version: int) -> NotificationPreferencesRead:
    return NotificationPreferencesRead(version=version, **{topic.value: topic.value not in muted for topic in Topic})
