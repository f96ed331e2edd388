"""Conditional requests (RFC 9110 section 13): versions as entity tags."""

import re
from typing import Annotated, Any

from litestar import Request, Response
from litestar.params import HeaderParameter
from msgspec import Meta

from app.lib.db.versions import IfMatch
from app.lib.errors import FieldCode, FieldError, ValidationFailed
from app.lib.wire.dto import Output

MAX_IF_NONE_MATCH = 4096
"""Characters of the ``If-None-Match`` header; room for the tags of many versions."""

TAGGED = {"tagged": True}
"""Spread into a reading handler's ``opt`` when it gives an ``ETag`` to an answer that has no version."""

_TAGS = re.compile(rb'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')
_TAG_LIST = re.compile(r'\s*(?:W/)?"[^"]*"\s*(?:,\s*(?:W/)?"[^"]*"\s*)*')
# What there is to send; what is read is a little more.
_IF_MATCH = r'^(?:\*|(?:W/)?"[\x21\x23-\x7e]*"(?:, (?:W/)?"[\x21\x23-\x7e]*")*)$'
_VERSION = re.compile(r'(?:W/)?"(\d{1,10})"')


Version = Annotated[int, Meta(ge=1, le=2**31 - 1, description="Counts the changes; the ETag is made of it.")]


class Versioned(Output):
    """Marks the Read Struct of a single resource; its field ``version: Version`` becomes the response's ``ETag``."""


def etag(version: int) -> str:
    """The entity tag of a version."""
    return f'"{version}"'


async def tag_response(response: Response[Any]) -> Response[Any]:
    """An ``after_request`` hook that puts the ``ETag`` on every response whose content is :class:`Versioned`."""
    content = response.content
    if isinstance(content, Versioned):
        response.headers.setdefault("ETag", etag(getattr(content, "version")))  # noqa: B009 - declared by subclasses
    return response


def check_if_none_match(header: bytes) -> None:
    """Raises ``ValidationFailed`` for a header that is too long."""
    if len(header) > MAX_IF_NONE_MATCH:
        detail = f"Must have at most {MAX_IF_NONE_MATCH} characters."
        raise ValidationFailed([FieldError(header="If-None-Match", code=FieldCode.TOO_LONG, detail=detail)])


def if_none_match(header: bytes, current: bytes) -> bool:
    """Whether the client already has what ``current`` tags; weak comparison, ``*`` matches anything."""
    if header.strip() == b"*":
        return True
    current = current.removeprefix(b"W/")
    return any(match == current for match in _TAGS.findall(header))


def has_current(request: Request[Any, Any, Any], current: str) -> bool:
    """Whether the answer will be a 304 if it has this tag, so that its content need not be made."""
    wanted = request.headers.getall("if-none-match", [])
    return bool(wanted) and if_none_match(", ".join(wanted).encode("latin-1"), current.encode())


_IfMatchHeader = Annotated[
    str | None,
    HeaderParameter(
        name="If-Match",
        max_length=256,
        description="The ETag that the change is meant for; else 412.",
        required=False,
        schema_extra={"pattern": _IF_MATCH},
    ),
]


async def provide_if_match(if_match_header: _IfMatchHeader = None) -> IfMatch:
    """The ``If-Match`` header. ``*`` matches any version; weak prefixes are stripped; other tags match nothing."""
    if if_match_header is None:
        return IfMatch()
    if if_match_header.strip() == "*":
        return IfMatch(is_any=True)
    if not _TAG_LIST.fullmatch(if_match_header):
        detail = 'Must be an ETag such as "3".'
        raise ValidationFailed([FieldError(header="If-Match", code=FieldCode.INVALID_FORMAT, detail=detail)])
    return IfMatch(frozenset(int(version) for version in _VERSION.findall(if_match_header)))
