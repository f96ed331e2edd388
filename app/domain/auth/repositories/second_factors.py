"""Every statement about second factors."""

from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Uuid, bindparam, exists, or_, select

from app.domain.auth.models import Session, TotpFactor
from app.domain.auth.repositories.sessions import IS_KNOWN_DEVICE, MAX_SESSIONS
from app.lib.db.prepared import prepare

_USER_ID = bindparam("user_id", type_=Uuid())


def has_second_factor(user_id: Any) -> ColumnElement[bool]:
    """That a user has any second factor. ``user_id`` is a column or a parameter.

    Each kind of factor has a line here, and that is all that the ways in have to know of it.
    """
    return or_(
        exists().where(TotpFactor.user_id == user_id, TotpFactor.confirmed_at.is_not(None)),
    )


class EntryRow(msgspec.Struct, frozen=True):
    """What matters of a user for whom a session was just opened."""

    has_second_factor: bool
    is_crowded: bool
    is_known_device: bool


ENTRY = prepare(
    select(
        has_second_factor(_USER_ID).label("has_second_factor"),
        select(Session.id)
        .where(Session.user_id == _USER_ID, Session.revoked_at.is_(None))
        .offset(MAX_SESSIONS)
        .exists()
        .label("is_crowded"),
        IS_KNOWN_DEVICE.label("is_known_device"),
    ),
    EntryRow,
)
