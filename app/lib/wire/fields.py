r"""Field types for Structs on the wire: every string has a maximum, every integer bounds, every list a maximum.

    class ProfileUpdate(Input):
        bio: Bio | None | UnsetType = UNSET
        tags: Annotated[list[Slug], Meta(max_length=20)] | UnsetType = UNSET

They stay ``str``, ``int`` and ``datetime`` for type checkers, msgspec and OpenAPI. U+0000 is refused everywhere by
:mod:`app.lib.wire.decoding` already.

Patterns are read by Python and, through OpenAPI, by JavaScript, where ``$`` differs: Python's also matches before
a final line feed. Hence ``$(?!\n)``, which means the very end in both.
"""

import re
from datetime import UTC, datetime
from typing import Annotated, Final
from urllib.parse import urlsplit

from msgspec import Meta

from app.lib.errors import FieldCode
from app.lib.wire.decoding import Check, FieldProblem, Hint

END: Final = r"$(?!\n)"
"""The very end of a text, in Python and in JavaScript."""
UNFIT: Final = r"\u0000-\u001F\u007F-\u009F\u2028-\u202E\u2066-\u2069"
"""Control characters (C0, DEL, C1), line and paragraph separators, marks that reorder the text around them."""
# What is no space and shows nothing all the same: joiners, fillers, marks of direction, selectors of variants.
_INVISIBLE: Final = (
    r"\u00AD\u034F\u061C\u115F\u1160\u17B4\u17B5\u180B-\u180F\u200B-\u200F\u2060-\u2065\u206A-\u206F\u2800\u3164"
    r"\uFE00-\uFE0F\uFEFF\uFFA0\uFFF9-\uFFFB"
)
_VISIBLE: Final = rf"^[ {_INVISIBLE}]*[^\s{_INVISIBLE}{UNFIT}][^{UNFIT}]*{END}"
_NOT_IN_LINES: Final = r"\u0000-\u0008\u000B\u000C\u000E-\u001F\u007F-\u009F"
_LINES: Final = rf"^[^{_NOT_IN_LINES}]*$"
_VISIBLE_LINES: Final = rf"^[\s{_INVISIBLE}]*[^\s{_INVISIBLE}{_NOT_IN_LINES}][^{_NOT_IN_LINES}]*$"

_NAME_HINT: Final = Hint("Must be a single line that is not blank, without control characters.")
_LINES_HINT: Final = Hint("Must not have control characters other than line breaks and tabs.")
_TEXT_HINT: Final = Hint("Must not be blank, nor have control characters other than line breaks and tabs.")
_USERNAME_HINT: Final = Hint(
    "Must be letters, digits, dots, hyphens and underscores, with a letter or digit at both ends."
)
_LOCALE_HINT: Final = Hint("Must be a language code such as 'en' or 'en-GB'.")
_USERNAME: Final = rf"^[A-Za-z0-9][A-Za-z0-9._\-]*[A-Za-z0-9]{END}"
_LOCALE: Final = rf"^[a-z]{{2,3}}(?:-[A-Z]{{2}})?{END}"

Line = Annotated[str, Meta(min_length=1, pattern=_VISIBLE), _NAME_HINT]
"""One line that is not blank. The user of the type says how long it may be: ``Annotated[Line, Meta(max_length=…)]``."""

SingleLine = Annotated[Line, Meta(max_length=255)]
"""One line of up to 255 characters that is not blank."""

PersonalName = Annotated[str, Meta(min_length=1, max_length=100, pattern=_VISIBLE, examples=["Ada"]), _NAME_HINT]
"""A first or last name."""

Name = Annotated[str, Meta(min_length=2, max_length=100, pattern=_VISIBLE, examples=["Ada Lovelace"]), _NAME_HINT]
"""What people or things are called."""

Username = Annotated[
    str, Meta(min_length=3, max_length=30, pattern=_USERNAME, examples=["ada.lovelace"]), _USERNAME_HINT
]
"""A name to sign in with. It has no ``@``, so it is never taken for an e-mail address."""

Locale = Annotated[str, Meta(min_length=2, max_length=6, pattern=_LOCALE, examples=["en-GB"]), _LOCALE_HINT]
"""Language and perhaps region, a subset of BCP 47."""

Bio = Annotated[
    str,
    Meta(max_length=2000, pattern=_LINES, examples=["Writes programs for engines that do not exist yet."]),
    _LINES_HINT,
]
"""Text of several lines."""

TextLines = Annotated[str, Meta(pattern=_LINES), _LINES_HINT]
"""Text of several lines. The user of the type says how long it may be: ``Annotated[TextLines, Meta(max_length=…)]``."""

VisibleTextLines = Annotated[str, Meta(min_length=1, pattern=_VISIBLE_LINES), _TEXT_HINT]
"""The same, not blank."""


def to_utc(moment: datetime) -> datetime:
    """The same instant in UTC. Raises ``FieldProblem`` at the very ends of the calendar."""
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise FieldProblem(FieldCode.INVALID_FORMAT, "Must be within the years 1 to 9999 in UTC.") from None


Timestamp = Annotated[datetime, Meta(tz=True, examples=["2026-01-31T12:00:00Z"]), Check(to_utc)]
"""An instant (RFC 3339): a time zone is required on the way in, UTC is what services get and clients see.

msgspec writes UTC as ``Z`` and any other zone as its offset; what comes from the database is UTC on both systems.
"""

_PRIVATE_SUFFIXES: Final = (
    "localhost", "local", "localdomain", "internal", "intranet", "private", "corp", "home", "lan",
    "home.arpa", "test", "invalid", "onion",
)  # fmt: skip
_HOST: Final = re.compile(r"(?=.{4,253}\Z)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]")


def check_public_https_url(url: str) -> str:
    """Returns the URL if it is https, without credentials, and its host a public domain name.

    Addresses of any kind are refused: the last label of a domain starts with a letter, which no spelling of an
    IPv4 address does, be it decimal, octal or hexadecimal, and an IPv6 address is in brackets. So are names that
    only mean something in a private network (RFC 6761, RFC 6762, RFC 8375). A public name may still lead to a
    private address, therefore nothing here is a licence to fetch it.
    """
    try:
        parts = urlsplit(url)
        host, is_plain = parts.hostname or "", parts.scheme == "https" and "@" not in parts.netloc and parts.port != 0
    except ValueError:
        host, is_plain = "", False
    is_private = f".{host}".endswith(tuple(f".{each}" for each in _PRIVATE_SUFFIXES))
    if not is_plain or "\\" in url or not _HOST.fullmatch(host) or is_private:
        detail = "Must be an https URL with a public domain name and without credentials."
        raise FieldProblem(FieldCode.INVALID_FORMAT, detail)
    return url


PublicUrl = Annotated[
    str,
    Meta(min_length=12, max_length=2048, pattern=rf"^https://[!-~]+{END}", extra_json_schema={"format": "uri"}),
    Hint("Must be an https URL; other than ASCII is percent-encoded."),
    Check(check_public_https_url),
]
"""An https URL on the public internet (RFC 3986, so ASCII only). It is shown, never fetched."""

HttpsUrl = Annotated[PublicUrl, Meta(examples=["https://images.example.com/ada.png"])]
"""Such a URL of a picture."""
