"""Media types in headers (RFC 9110 sections 8.3 and 12.5.1)."""

import re
from collections.abc import Collection, Sequence

_CHARSET = re.compile(r'\s*charset\s*=\s*"?utf-?8"?\s*', re.IGNORECASE)
_ANY_CHARSET = re.compile(r"\s*charset\b", re.IGNORECASE)
_QUALITY = re.compile(r"\s*q\s*=\s*(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\s*", re.IGNORECASE)


def names_media_type(content_types: Sequence[bytes], expected: Collection[str]) -> bool:
    """Whether a request's ``Content-Type`` lines are one line that names an expected type in UTF-8.

    Other parameters mean nothing for these types and are ignored.
    """
    if len(content_types) != 1:
        return False
    media_type, *parameters = content_types[0].decode("latin-1").split(";")
    if media_type.strip().lower() not in expected:
        return False
    return all(_CHARSET.fullmatch(each) for each in parameters if _ANY_CHARSET.match(each))


def accepts(accept: str, media_type: str) -> bool:
    """Whether an ``Accept`` header admits the media type; the most specific range that matches decides."""
    if not accept.strip():
        return True
    ranges = (media_type, f"{media_type.partition('/')[0]}/*", "*/*")
    qualities: dict[str, float] = {}
    for part in accept.split(","):
        media_range, *parameters = part.split(";")
        qualities[media_range.strip().lower()] = _quality(parameters)
    return next((qualities[each] > 0 for each in ranges if each in qualities), False)


def _quality(parameters: Sequence[str]) -> float:
    """The weight among a range's parameters; what is no weight counts as 1."""
    found = (_QUALITY.fullmatch(each) for each in parameters)
    return next((float(match[1]) for match in found if match), 1.0)
