"""Every statement about mailed links."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Uuid, bindparam, delete, select, update

from app.domain.accounts.models import User
from app.domain.auth.models import MailedLink
from app.lib.db.base import table_of
from app.lib.db.prepared import columns_of, prepare
from app.lib.db.repositories import Repository
from app.lib.db.statements import delete_batch, insert_or_update

CHANGE_EMAIL = "change_email"


class LinkRow(msgspec.Struct, frozen=True):
    """A mailed link that is good now. See :class:`MailedLink`."""

    user_id: UUID
    digest: bytes
    email_key: str
    address: str
    created_at: datetime


_links = table_of(MailedLink)
_USER_ID = bindparam("user_id", type_=Uuid())
_NOW = bindparam("now", type_=_links.c.created_at.type)
_is_live = (_links.c.used_at.is_(None), _links.c.expires_at > _NOW)
_live_links = (
    select(*columns_of(LinkRow, MailedLink))
    .join(User, User.id == MailedLink.user_id)
    .where(_links.c.purpose == bindparam("purpose"), *_is_live, User.is_active)
)
LINK = prepare(_live_links.where(_links.c.digest == bindparam("digest")), LinkRow)
LINK_BY_CODE = prepare(
    _live_links.where(_links.c.user_id == _USER_ID, _links.c.code_digest == bindparam("code_digest")), LinkRow
)
_new_link = insert_or_update(_links)
_replaced = ("digest", "code_digest", "address", "created_at", "expires_at", "used_at")
_replace_link = prepare(
    _new_link.on_conflict_do_update(
        index_elements=["email_key", "purpose", "user_id"], set_={name: _new_link.excluded[name] for name in _replaced}
    )
)
_use_link = prepare(update(_links).where(_links.c.digest == bindparam("digest"), *_is_live).values(used_at=_NOW))
ADDRESS_KEEPER = prepare(
    select(_links.c.user_id).where(
        _links.c.email_key == bindparam("key"), _links.c.purpose == bindparam("purpose"), *_is_live
    ),
    UUID,
)
"""Who may still take a former address back."""
_unused = delete(_links).where(_links.c.user_id == _USER_ID, _links.c.used_at.is_(None))
_delete_others = prepare(_unused.where(_links.c.purpose != bindparam("purpose")))
_delete_later = prepare(
    _unused.where(
        _links.c.purpose == bindparam("purpose"),
        _links.c.created_at > bindparam("after", type_=_links.c.created_at.type),
    )
)
DELETE_UNUSED = prepare(_unused.where(_links.c.purpose == bindparam("purpose")))
PURGE_LINKS = prepare(delete_batch(_links, _links.c.expires_at < _NOW))


class LinkRepository(Repository):
    async def replace(self, **values: Any) -> None:
        """Adds a link, in place of the one before."""
        await self.unit.execute(_replace_link, **values, used_at=None)

    async def use(self, digest: bytes, now: datetime) -> bool:
        """Uses a link up, for exactly one of many who try."""
        return await self.unit.execute(_use_link, digest=digest, now=now) == 1

    async def delete_others(self, user_id: UUID, purpose: str) -> None:
        """Deletes a user's links that were not used, except those for this purpose."""
        await self.unit.execute(_delete_others, user_id=user_id, purpose=purpose)

    async def delete_later(self, user_id: UUID, purpose: str, after: datetime) -> None:
        """Deletes a user's links for this purpose that are younger and were not used."""
        await self.unit.execute(_delete_later, user_id=user_id, purpose=purpose, after=after)
