"""Every statement about mailed links."""

from datetime import datetime
from uuid import UUID

import msgspec
from sqlalchemy import Uuid, bindparam, delete, select, update

from app.domain.accounts.models import User
from app.domain.auth.models import MailedLink
from app.lib.db.base import table_of
from app.lib.db.prepared import columns_of, prepare
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
REPLACE_LINK = prepare(
    _new_link.on_conflict_do_update(
        index_elements=["email_key", "purpose", "user_id"], set_={name: _new_link.excluded[name] for name in _replaced}
    )
)
"""Adds a link, in place of the one before."""
USE_LINK = prepare(update(_links).where(_links.c.digest == bindparam("digest"), *_is_live).values(used_at=_NOW))
"""One row, for exactly one of many who try."""
ADDRESS_KEEPER = prepare(
    select(_links.c.user_id).where(
        _links.c.email_key == bindparam("key"), _links.c.purpose == bindparam("purpose"), *_is_live
    ),
    UUID,
)
"""Who may still take a former address back."""
_unused = delete(_links).where(_links.c.user_id == _USER_ID, _links.c.used_at.is_(None))
DELETE_OTHER_LINKS = prepare(_unused.where(_links.c.purpose != bindparam("purpose")))
"""Those of a user that were not used, except for this purpose."""
DELETE_LATER_LINKS = prepare(
    _unused.where(
        _links.c.purpose == bindparam("purpose"),
        _links.c.created_at > bindparam("after", type_=_links.c.created_at.type),
    )
)
"""Those of a user for this purpose that are younger and were not used."""
DELETE_UNUSED = prepare(_unused.where(_links.c.purpose == bindparam("purpose")))
PURGE_LINKS = prepare(delete_batch(_links, _links.c.expires_at < _NOW))
