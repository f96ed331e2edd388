"""The normalised forms by which users are unique, sorted and found."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement

from app.domain.accounts.models import User
from app.lib.errors import FieldCode, FieldError, ValidationFailed
from app.lib.security.emails import InvalidEmail, email_key
from app.lib.text import casefold_key


def checked_email_key(value: str) -> str:
    """The key of an address. Raises ``ValidationFailed``."""
    try:
        return email_key(value)
    except InvalidEmail as exc:
        error = FieldError(pointer="/email", code=FieldCode.INVALID_FORMAT, detail="Must be an e-mail address.")
        raise ValidationFailed([error]) from exc


def has_email(email: str) -> ColumnElement[bool]:
    """That a user has this address, in any spelling. Raises ``ValidationFailed``."""
    return User.email_key == checked_email_key(email)


def with_keys(values: Mapping[str, Any]) -> dict[str, Any]:
    """Columns of a user with the keys of their e-mail address, username and name. Raises ``ValidationFailed``."""
    username, name = values["username"], values["name"]
    keys = {
        "email_key": checked_email_key(values["email"]),
        "username_key": casefold_key(username) if username else None,
        "name_key": casefold_key(name or "")[:400],
    }
    return {**values, **keys, "search_text": "\n".join(filter(None, keys.values()))}
