"""A person as an identity provider knows them."""

from typing import Any

import msgspec

from app.lib.errors import ValidationFailed
from app.lib.security.emails import InvalidEmail, email_key
from app.lib.wire.decoding import convert
from app.lib.wire.dto import Input
from app.lib.wire.fields import Name

MAX_SUBJECT = 255


class ExternalIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """``is_confirmed`` says that the provider vouches for the address. What we could not keep of a person is None."""

    provider: str
    title: str
    issuer: str
    subject: str
    email: str | None
    is_confirmed: bool
    name: str | None


class _Named(Input):
    name: Name


def accepted_text(value: Any) -> str | None:
    """A text that databases take, or None."""
    if not isinstance(value, str) or "\0" in value:
        return None
    return value if value.encode("utf-8", "ignore").decode() == value else None


def accepted_email(value: Any) -> str | None:
    """An address that users may have here, or None."""
    email = accepted_text(value)
    try:
        return email if email and email_key(email) else None
    except InvalidEmail:
        return None


def accepted_name(value: Any) -> str | None:
    """A name that users may have here, or None."""
    try:
        return convert({"name": accepted_text(value)}, _Named, strict=True).name
    except ValidationFailed:
        return None
