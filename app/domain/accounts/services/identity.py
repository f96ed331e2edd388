"""The normalised forms by which users are unique, sorted and found."""

from collections.abc import Mapping
from typing import Any

from app.lib.errors import FieldCode, FieldError, ValidationFailed
from app.lib.security.emails import EmailAddress, InvalidEmail, normalise_email
from app.lib.text import casefold_key


def parse_email(value: str) -> EmailAddress:
    """Raises ``ValidationFailed``."""
    try:
        return normalise_email(value)
    except InvalidEmail as exc:
        error = FieldError(pointer="/email", code=FieldCode.INVALID_FORMAT, detail="Must be an e-mail address.")
        raise ValidationFailed([error]) from exc


def with_keys(values: Mapping[str, Any]) -> dict[str, Any]:
    """Columns of a user with the keys of their e-mail address, username and name. Raises ``ValidationFailed``."""
    username, name = values["username"], values["name"]
    keys = {
        "email_key": parse_email(values["email"]).key,
        "username_key": casefold_key(username) if username else None,
        "name_key": casefold_key(name or "")[:400],
    }
    return {**values, **keys, "search_text": "\n".join(filter(None, keys.values()))}
