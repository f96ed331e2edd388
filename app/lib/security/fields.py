"""Fields of accounts for Structs on the wire; the others are in :mod:`app.lib.wire.fields`."""

from typing import Annotated, Final

from msgspec import Meta

from app.lib.errors import FieldCode
from app.lib.security.emails import InvalidEmail, email_key
from app.lib.security.password_policy import guessable
from app.lib.wire.decoding import Check, FieldProblem, Hint
from app.lib.wire.fields import END, UNFIT

_NOT_AN_ADDRESS: Final = "Must be an e-mail address."


def _check_email(value: str) -> str:
    try:
        email_key(value)
    except InvalidEmail:
        raise FieldProblem(FieldCode.INVALID_FORMAT, _NOT_AN_ADDRESS) from None
    return value


def _check_password(value: str) -> str:
    if (reason := guessable(value)) is not None:
        raise FieldProblem(FieldCode.WEAK_PASSWORD, reason)
    return value


Email = Annotated[
    str,
    Meta(
        min_length=3,
        max_length=254,
        pattern=rf"^[^@\s{UNFIT}]+@[^@\s{UNFIT}]+{END}",
        examples=["ada@example.com"],
        extra_json_schema={"format": "email"},
    ),
    Hint(_NOT_AN_ADDRESS),
    Check(_check_email),
]
"""An e-mail address as :func:`~app.lib.security.emails.email_key` takes it; at most 254 octets (RFC 5321)."""

Password = Annotated[
    str,
    Meta(
        min_length=8,
        max_length=1024,
        examples=["correct horse battery staple"],
        extra_json_schema={"format": "password"},
    ),
    Check(_check_password),
]
"""A new password as typed: nothing is trimmed. What depends on settings and on the person is left to a policy."""
