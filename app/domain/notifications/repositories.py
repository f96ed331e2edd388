"""Every statement about preferences and the recipients of mail."""

from uuid import UUID

import msgspec
from sqlalchemy import bindparam, func, select

from app.domain.accounts.models import User
from app.domain.notifications.models import NotificationPreference
from app.lib.clock import utc_now
from app.lib.db.base import new_id, table_of
from app.lib.db.prepared import columns_of, prepare
from app.lib.db.repositories import EntityRepository
from app.lib.db.statements import insert_or_update
from app.lib.security.passwords import NO_PASSWORD


class PreferenceRow(msgspec.Struct, frozen=True):
    """See :class:`NotificationPreference`. ``muted`` is None for a user without a row."""

    muted: list[str] | None
    version: int


class Recipient(msgspec.Struct, frozen=True):
    """The address of a mail, and its language."""

    id: UUID
    email: str
    locale: str


PREFERENCE = prepare(
    select(*columns_of(PreferenceRow, NotificationPreference, version=func.coalesce(NotificationPreference.version, 1)))
    .select_from(User)
    .outerjoin(NotificationPreference, NotificationPreference.user_id == User.id)
    .where(User.id == bindparam("user_id")),
    PreferenceRow,
)
"""No row when there is no such user."""
_insert = prepare(insert_or_update(table_of(NotificationPreference)).on_conflict_do_nothing())
RECIPIENT = prepare(
    select(*columns_of(Recipient, User))
    .where(User.id == bindparam("user_id"), User.is_service.is_(False))
    .with_for_update(read=True, key_share=True),
    Recipient,
)
"""Locked until the transaction ends, so that the user is not deleted while a mail to them is written."""


HAS_PASSWORD = prepare(
    select(User.id).where(
        User.id == bindparam("user_id"), ~User.password_hash.startswith(NO_PASSWORD, autoescape=True)
    ),
    UUID,
)
"""A user who can sign in by a password. Another domain may have made them without one."""


class PreferenceRepository(EntityRepository[NotificationPreference]):
    model = NotificationPreference

    async def get_or_create_for_update(self, user_id: UUID) -> NotificationPreference:
        """The user's row, locked; created by one of many who try."""
        now = utc_now()
        await self.unit.execute(
            _insert, id=new_id(), user_id=user_id, muted=[], created_at=now, updated_at=now, version=1
        )
        return await self.get_for_update(user_id, by=NotificationPreference.user_id)
