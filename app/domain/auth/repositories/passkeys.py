"""Every statement about passkeys."""

from typing import ClassVar
from uuid import UUID

import msgspec
from sqlalchemy import Boolean, Uuid, and_, bindparam, exists, func, or_, select, type_coerce, update

from app.domain.accounts.errors import AccountGone
from app.domain.accounts.models import User
from app.domain.auth.dtos.passkeys import PasskeyRead
from app.domain.auth.errors import PasskeyNotFound, PasskeyTaken
from app.domain.auth.models import Passkey, UsedChallenge
from app.lib.db.base import SplitText, table_of
from app.lib.db.prepared import columns_of, prepare
from app.lib.db.repositories import EntityRepository
from app.lib.db.statements import delete_batch, insert_or_update
from app.lib.security.passwords import NO_PASSWORD


class PasskeyRow(msgspec.Struct, frozen=True):
    """A passkey and what its use needs to know of its user."""

    id: UUID
    user_id: UUID
    public_key: bytes
    password_hash: str
    is_active: bool
    is_verified: bool


class KnownCredential(msgspec.Struct, frozen=True):
    """A passkey as authenticators know it again."""

    credential_id: bytes
    transports: list[str]


_passkeys, _used = table_of(Passkey), table_of(UsedChallenge)
_USER_ID = bindparam("user_id", type_=Uuid())
_NOW = bindparam("now", type_=_used.c.expires_at.type)
_transports = type_coerce(Passkey.transports, SplitText())

PASSKEY = prepare(
    select(
        *columns_of(
            PasskeyRow,
            Passkey,
            password_hash=User.password_hash,
            is_active=User.is_active,
            is_verified=User.is_verified,
        )
    )
    .join(User, User.id == Passkey.user_id)
    .where(Passkey.credential_id == bindparam("credential_id"), User.deleted_at.is_(None)),
    PasskeyRow,
)
"""By the id that its authenticator knows it by."""
OWN_PASSKEYS = prepare(
    select(*columns_of(PasskeyRead, Passkey, transports=_transports))
    .where(Passkey.user_id == _USER_ID)
    .order_by(Passkey.created_at.desc(), Passkey.id.desc()),
    PasskeyRead,
)
OWN_PASSKEY = prepare(
    select(*columns_of(PasskeyRead, Passkey, transports=_transports)).where(
        Passkey.user_id == _USER_ID, Passkey.id == bindparam("passkey_id", type_=Uuid())
    ),
    PasskeyRead,
)
KNOWN_CREDENTIALS = prepare(
    select(*columns_of(KnownCredential, Passkey, transports=_transports)).where(Passkey.user_id == _USER_ID),
    KnownCredential,
)
HAS_WAY_IN = prepare(
    select(User.id).where(
        User.id == _USER_ID,
        or_(
            ~User.password_hash.startswith(NO_PASSWORD, autoescape=True),
            exists().where(Passkey.user_id == User.id, Passkey.verifies_user),
        ),
    ),
    UUID,
)
"""A user who can sign in by a password or a passkey."""
COUNT_OF = prepare(select(func.count()).select_from(Passkey).where(Passkey.user_id == _USER_ID), int)
USE_CHALLENGE = prepare(insert_or_update(_used).on_conflict_do_nothing())
"""One row for exactly one of many who use the same challenge."""
_COUNT = bindparam("new_sign_count", type_=_passkeys.c.sign_count.type)
USE_PASSKEY = prepare(
    update(_passkeys)
    .where(
        _passkeys.c.id == bindparam("passkey_id", type_=Uuid()),
        or_(_passkeys.c.sign_count < _COUNT, and_(_passkeys.c.sign_count == 0, _COUNT == 0)),
    )
    .values(
        sign_count=_COUNT,
        is_backed_up=bindparam("backed_up", type_=Boolean()),
        last_used_at=_NOW,
        updated_at=_passkeys.c.updated_at,
    )
)
"""No row when the counter has not gone up, which says that there is a copy of the authenticator, or when the passkey
was deleted.
"""
IS_THERE = prepare(select(exists().where(Passkey.id == bindparam("passkey_id", type_=Uuid()))), bool)
PURGE_CHALLENGES = prepare(delete_batch(_used, _used.c.expires_at < _NOW))


class PasskeyRepository(EntityRepository[Passkey]):
    model = Passkey
    not_found = PasskeyNotFound
    taken: ClassVar = {"credential_id": PasskeyTaken}
    missing: ClassVar = {"users": AccountGone}
