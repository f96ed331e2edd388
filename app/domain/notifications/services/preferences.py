from uuid import UUID

from app.domain.accounts.errors import UserNotFound
from app.domain.notifications.dtos import NotificationsRead, NotificationsUpdate
from app.domain.notifications.repositories import (
    PreferenceReads,
    PreferenceRepository,
    RecipientRepository,
)
from app.domain.notifications.services.links import UnsubscribeLinks
from app.domain.notifications.topics import Topic
from app.lib.db.uow import UnitOfWork
from app.lib.db.versions import IfMatch
from app.lib.wire.dto import provided


class PreferenceService:
    """People choose which mails they get."""

    def __init__(self, unit: UnitOfWork) -> None:
        self.unit = unit
        self.preferences = PreferenceRepository(unit.session)
        self.recipients = RecipientRepository(unit.session)

    async def change(self, user_id: UUID, data: NotificationsUpdate, if_match: IfMatch) -> NotificationsRead:
        """Raises ``UserNotFound`` or ``PreconditionFailed``."""
        wanted = provided(data)
        muted = frozenset(topic for topic, wants in wanted.items() if not wants)
        changed = await self._mute(user_id, muted, frozenset(wanted) - muted, if_match)
        if changed is None:
            raise UserNotFound
        return changed

    async def mute(self, user_id: UUID, topic: Topic) -> None:
        """The same once or many times, and whether or not there is such a person any more."""
        await self._mute(user_id, frozenset({topic.value}), frozenset(), IfMatch())

    async def _mute(
        self, user_id: UUID, muted: frozenset[str], heard: frozenset[str], if_match: IfMatch
    ) -> NotificationsRead | None:
        if await self.recipients.find(user_id) is None:
            return None
        row = await self.preferences.lock_of(user_id)
        if_match.check(row.version)
        now_muted = sorted(set(row.muted) - heard | muted)
        if now_muted != row.muted:
            row.muted = now_muted
            await self.preferences.flush()
        return to_read(row.muted, row.version)


class PreferenceQueries:
    """What is shown of it; reads only."""

    def __init__(self, reads: PreferenceReads) -> None:
        self._reads = reads

    async def of(self, user_id: UUID) -> NotificationsRead:
        """Raises ``UserNotFound``."""
        row = await self._reads.of(user_id)
        if row is None:
            raise UserNotFound
        return to_read(row.muted, row.version)


class PersonSubscriptions:
    """What the kit's mail asks about people."""

    def __init__(self, reads: PreferenceReads, links: UnsubscribeLinks) -> None:
        self._reads = reads
        self._links = links

    async def wants(self, user_id: UUID, topic: str) -> bool:
        row = await self._reads.of(user_id)
        return row is None or topic not in row.muted

    def unsubscribe_url(self, user_id: UUID, topic: str) -> str:
        return self._links.url(user_id, topic)


def to_read(muted: list[str], version: int) -> NotificationsRead:
    return NotificationsRead(version=version, **{topic.value: topic.value not in muted for topic in Topic})
