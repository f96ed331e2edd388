"""Every statement about preferences and the recipients of mail."""

from uuid import UUID

import msgspec
from sqlalchemy import bindparam, func, select

from app.domain.accounts.models import User
from app.domain.notifications.models import NotificationPreference
from app.lib.clock import utc_now
from app.lib.db.base import new_id, table_of
from app.lib.db.prepared import columns_of, prepare
from app.lib.db.reader import Reader
from app.lib.db.repositories import EntityRepository, Repository
from app.lib.db.statements import insert_or_update


class PreferenceRow(msgspec.Struct, frozen=True):
    """See :class:`NotificationPreference`. ``muted`` is None for a user without a row."""

    muted: list[str] | None
    version: int


class Recipient(msgspec.Struct, frozen=True):
    """The address of a mail, and its language."""

    id: UUID
    email: str
    locale: str


_preference = prepare(
    select(*columns_of(PreferenceRow, NotificationPreference, version=func.coalesce(NotificationPreference.version, 1)))
    .select_from(User)
    .outerjoin(NotificationPreference, NotificationPreference.user_id == User.id)
    .where(User.id == bindparam("user_id")),
    PreferenceRow,
)
_insert = prepare(insert_or_update(table_of(NotificationPreference)).on_conflict_do_nothing())
_recipient = prepare(
    select(*columns_of(Recipient, User))
    .where(User.id == bindparam("user_id"))
    .with_for_update(read=True, key_share=True),
    Recipient,
)


class PreferenceReads:
    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def find(self, user_id: UUID) -> PreferenceRow | None:
        """None when there is no such user."""
        return await self._reader.first(_preference, user_id=user_id)


class PreferenceRepository(EntityRepository[NotificationPreference]):
    model = NotificationPreference

    async def get_or_create_for_update(self, user_id: UUID) -> NotificationPreference:
        """The user's row, locked; created by one of many who try."""
        now = utc_now()
        await self.unit.execute(
            _insert, id=new_id(), user_id=user_id, muted=[], created_at=now, updated_at=now, version=1
        )
        return await self.get_for_update(user_id, by=NotificationPreference.user_id)


class RecipientRepository(Repository):
    async def find(self, user_id: UUID) -> Recipient | None:
        """Locked until the transaction ends, so that the user is not deleted while a mail to them is written."""
        return await self.unit.first(_recipient, user_id=user_id)
