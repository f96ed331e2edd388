"""Every statement about second factors, and about sign-ins that wait for one."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import (
    ColumnElement,
    Uuid,
    and_,
    bindparam,
    case,
    delete,
    exists,
    func,
    insert,
    not_,
    or_,
    select,
    update,
)

from app.domain.accounts.models import Role, User, UserRole
from app.domain.auth.dtos.mfa import MfaRead
from app.domain.auth.models import Passkey, RecoveryCode, TotpFactor
from app.lib.db.base import table_of
from app.lib.db.prepared import columns_of, prepare
from app.lib.db.repositories import Repository
from app.lib.db.statements import insert_or_update

_totp = table_of(TotpFactor)
_passkeys = table_of(Passkey)
_codes = table_of(RecoveryCode)
_USER_ID = bindparam("user_id", type_=Uuid())
_NOW = bindparam("now", type_=_totp.c.created_at.type)


def has_second_factor(user_id: Any) -> ColumnElement[bool]:
    """That a user has any second factor. ``user_id`` is a column or a parameter.

    Each kind of factor has a line here, and that is all that the ways in have to know of it.
    """
    return or_(
        exists()
        .where(TotpFactor.user_id == user_id, TotpFactor.confirmed_at.is_not(None))
        .correlate_except(TotpFactor),
        exists().where(Passkey.user_id == user_id).correlate_except(Passkey),
    )


requires_mfa = exists().where(UserRole.user_id == User.id, UserRole.role_id == Role.id, Role.requires_mfa)
"""That a role of the user requires a second factor, as a column next to the user's own."""
debt = case(
    (User.must_change_password, "password_change_required"),
    (
        and_(User.is_service.is_(False), requires_mfa, not_(has_second_factor(User.id))),
        "mfa_enrollment_required",
    ),
)
"""What a user owes (:data:`app.lib.security.principal.Debt`), as a column next to the user's own. Also what their keys
owe, whenever they were made. A service account has no sign-in to which a second factor could be added: its keys are
random, and who creates them holds its permissions and owes nothing.
"""
HAS_SECOND_FACTOR = prepare(select(has_second_factor(_USER_ID)), bool)
_codes_left = select(func.count()).where(RecoveryCode.user_id == User.id).scalar_subquery()
MFA = prepare(
    select(
        *columns_of(
            MfaRead,
            TotpFactor,
            is_on=has_second_factor(User.id),
            is_required=requires_mfa,
            totp_confirmed_at=TotpFactor.confirmed_at,
            recovery_codes_left=_codes_left,
        )
    )
    .select_from(User)
    .outerjoin(TotpFactor, TotpFactor.user_id == User.id)
    .where(User.id == _USER_ID),
    MfaRead,
)


class PendingTotp(msgspec.Struct, frozen=True):
    """The secret of an app, sealed for its user, that no code has confirmed."""

    secret: bytes
    created_at: datetime


class PossibleCodes(msgspec.Struct, frozen=True):
    """What a code of a user may be."""

    secret: bytes | None
    last_step: int
    is_recovery_code: bool


_of_user = _totp.c.user_id == _USER_ID
PENDING_TOTP = prepare(
    select(*columns_of(PendingTotp, TotpFactor)).where(_of_user, _totp.c.confirmed_at.is_(None)), PendingTotp
)
_is_code = (_codes.c.user_id == _USER_ID, _codes.c.digest == bindparam("digest"))
POSSIBLE_CODES = prepare(
    select(
        *columns_of(
            PossibleCodes,
            TotpFactor,
            last_step=func.coalesce(TotpFactor.last_step, 0),
            is_recovery_code=exists().where(*_is_code),
        )
    )
    .select_from(User)
    .outerjoin(TotpFactor, and_(TotpFactor.user_id == User.id, TotpFactor.confirmed_at.is_not(None)))
    .where(User.id == _USER_ID),
    PossibleCodes,
)
LOCK_USER = prepare(
    select(User.id).where(User.id == _USER_ID, User.deleted_at.is_(None)).with_for_update(key_share=True), UUID
)
"""Run it before a factor is added or removed: no session is opened for the user until the transaction ends."""
_new_totp = insert_or_update(_totp)
_set_up_totp = prepare(
    _new_totp.on_conflict_do_update(
        index_elements=["user_id"],
        set_={name: _new_totp.excluded[name] for name in ("secret", "created_at")},
        where=_totp.c.confirmed_at.is_(None),
    )
)
_STEP = bindparam("step", type_=_totp.c.last_step.type)
CONFIRM_TOTP = prepare(
    update(_totp)
    .where(_of_user, _totp.c.confirmed_at.is_(None), _totp.c.secret == bindparam("sealed"))
    .values(confirmed_at=_NOW, last_step=_STEP)
)
USE_STEP = prepare(
    update(_totp).where(_of_user, _totp.c.confirmed_at.is_not(None), _totp.c.last_step < _STEP).values(last_step=_STEP)
)
DELETE_TOTP = prepare(delete(_totp).where(_of_user, _totp.c.confirmed_at.is_not(None)))
DELETE_FACTORS = [prepare(delete(each).where(each.c.user_id == _USER_ID)) for each in (_totp, _passkeys, _codes)]
"""Those of all kinds, and the recovery codes."""
_insert_code = prepare(insert(_codes))
_delete_codes = prepare(delete(_codes).where(_codes.c.user_id == _USER_ID))
USE_CODE = prepare(delete(_codes).where(*_is_code))
"""One row, for exactly one of many who try, as of the time step."""


class SecondFactorRepository(Repository):
    async def set_up_totp(self, user_id: UUID, sealed: bytes, now: datetime) -> bool:
        """Keeps a secret that is not confirmed, in place of the one before; False when one is confirmed already."""
        values = {"secret": sealed, "created_at": now, "confirmed_at": None, "last_step": 0}
        return await self.unit.execute(_set_up_totp, user_id=user_id, **values) == 1

    async def set_codes(self, user_id: UUID, digests: Iterable[bytes]) -> None:
        """Replaces the user's recovery codes."""
        await self.unit.execute(_delete_codes, user_id=user_id)
        await self.unit.execute_many(_insert_code, [{"user_id": user_id, "digest": each} for each in digests])
