"""Every statement about what people want to be told, and about whom to tell it."""

from uuid import UUID

import msgspec
from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.accounts.models import User
from app.domain.notifications.models import NotificationPreference
from app.lib.clock import utc_now
from app.lib.db.base import new_id
from app.lib.db.prepared import columns_of, one_row, prepare
from app.lib.db.reader import Reader
from app.lib.db.statements import insert_or_ignore


class PreferenceRow(msgspec.Struct, frozen=True):
    """As it stands; see :class:`NotificationPreference`."""

    muted: list[str]
    version: int


class Recipient(msgspec.Struct, frozen=True):
    """Whom to write to, and in which language. ``version`` is the account's."""

    id: UUID
    email: str
    locale: str
    version: int


class _MaybePreference(msgspec.Struct, frozen=True):
    """What is there of it: most people never change anything."""

    muted: list[str] | None
    version: int | None


_preference = prepare(
    select(*columns_of(_MaybePreference, NotificationPreference))
    .select_from(User)
    .outerjoin(NotificationPreference, NotificationPreference.user_id == User.id)
    .where(User.id == bindparam("user_id")),
    _MaybePreference,
)


class PreferenceReads:
    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def of(self, user_id: UUID) -> PreferenceRow | None:
        """None when there is no such person; who has chosen nothing has muted nothing."""
        found = await self._reader.first(_preference, user_id=user_id)
        return None if found is None else PreferenceRow(found.muted or [], found.version or 1)


class PreferenceRepository:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def lock_of(self, user_id: UUID) -> NotificationPreference:
        """The person's row, locked; made where there is none, by one of many who try."""
        now = utc_now()
        row = {"id": new_id(), "user_id": user_id, "muted": [], "created_at": now, "updated_at": now, "version": 1}
        await insert_or_ignore(self._session, NotificationPreference, row)
        found = await self._session.execute(
            select(NotificationPreference).where(NotificationPreference.user_id == user_id).with_for_update()
        )
        return found.scalar_one()

    async def flush(self) -> None:
        """Sends the change, so that the version counts."""
        await self._session.flush()


class RecipientRepository:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def find(self, user_id: UUID) -> Recipient | None:
        """Held until the transaction ends, so that an account is not deleted while something is written to it."""
        found = await self._session.execute(
            select(*columns_of(Recipient, User)).where(User.id == user_id).with_for_update(read=True, key_share=True)
        )
        return one_row(found, Recipient)
