"""Merge patches of accounts: what they change, and what they mean."""

from collections.abc import Mapping
from typing import Any

from msgspec import UNSET

from app.domain.accounts.dtos import UserUpdate
from app.domain.accounts.models import User
from app.domain.accounts.services.identity import set_email, set_name, set_username
from app.lib.security.emails import EmailAddress

FLAGS = frozenset({"is_verified", "is_superuser"})
SHOWN_IN_PROFILE = frozenset({"email", "username", "name"})
"""What of an account a profile shows, to its owner or to everybody."""

_SETTERS = {"username": set_username, "name": set_name}


def assign(user: User, patch: Mapping[str, Any], email: EmailAddress | None) -> frozenset[str]:
    """Writes the members of a patch into the user, ``email`` parsed; returns the names of all that changed."""
    names = {*patch, "is_verified"}
    before = {name: getattr(user, name) for name in names}
    if email is not None:
        user.is_verified = _stays_verified(user, email)
        set_email(user, email)
    for name, value in patch.items():
        if name in _SETTERS:
            _SETTERS[name](user, value)
        elif name != "email":
            setattr(user, name, value)
    return frozenset(name for name in names if getattr(user, name) != before[name])


def set_flags(user: User, patch: UserUpdate, email: EmailAddress | None) -> dict[str, bool]:
    """The flags that the patch itself sets; that a new address is not verified is nobody's doing."""
    left_alone = {"is_verified": _stays_verified(user, email), "is_superuser": user.is_superuser}
    wanted = {name: getattr(patch, name) for name in left_alone}
    return {name: value for name, value in wanted.items() if value is not UNSET and value != left_alone[name]}


def _stays_verified(user: User, email: EmailAddress | None) -> bool:
    """It is an address that is verified, in whatever spelling."""
    return user.is_verified and (email is None or email.key == user.email_key)
