"""Conditional requests (RFC 9110 section 13): versions as entity tags.

A personal URL means another thing for each caller, such as ``/users/me``. Its tags carry the caller, so what one person
has is never taken for what another one asks for, and its answers are not to be stored.
"""

import re
from hashlib import sha256
from typing import Annotated, Any, ClassVar
from uuid import UUID

from litestar import Litestar, Request
from litestar.params import HeaderParameter
from litestar.routes import HTTPRoute
from litestar.types import Scope
from msgspec import Meta

from app.lib.db.versions import IfMatch
from app.lib.errors import FieldCode, FieldError, ValidationFailed
from app.lib.security.policies import find_principal, policy_of
from app.lib.wire.dto import Output

MAX_IF_NONE_MATCH = 4096
"""Characters of the ``If-None-Match`` header; room for the tags of many versions."""

TAGGED = {"tagged": True}
"""Spread into the ``opt`` of a reading handler whose answer has no version: the ``ETag`` of JSON is made of its bytes,
that of anything else is the handler's own.
"""

_PERSONAL = "personal"
_TAGS = re.compile(rb'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')
_CODING = r'(?:(?:--?|;)(?:gzip|br|zstd|deflate))+"'
"""What proxies that compress add to a tag: mod_deflate, mod_brotli, Jetty and others."""
_CODING_OF_TAG = re.compile(_CODING.encode() + rb"\Z")
_TAG_LIST = re.compile(r'\s*(?:W/)?"[^"]*"\s*(?:,\s*(?:W/)?"[^"]*"\s*)*')
# What there is to send; what is read is a little more.
_IF_MATCH = r'^(?:\*|(?:W/)?"[\x21\x23-\x7e]*"(?:, (?:W/)?"[\x21\x23-\x7e]*")*)$'
_VERSION = re.compile(rf'(?:W/)?"(\d{{1,10}})(?:-[0-9a-f]{{16}})?(?:\.([0-9a-f]{{32}}))?(?:"|{_CODING})')


Version = Annotated[
    int, Meta(ge=1, le=2**31 - 1, description="Counts the changes; the ETag is made of it.", examples=[2])
]


class Versioned(Output):
    """Marks the Read Struct of a single resource; its field ``version: Version`` becomes the response's ``ETag``.

    ``is_live`` says that members change without a new version, such as a stock. Then the tag has a digest of the answer
    next to the version: ``If-None-Match`` compares all of it, ``If-Match`` the version alone (docs/decisions/0038).
    """

    is_live: ClassVar[bool] = False


def etag(content: Versioned, body: bytes) -> str:
    """The entity tag of an answer, with its bytes."""
    version: int = getattr(content, "version")  # noqa: B009 - declared by subclasses
    return f'"{version}-{sha256(body).hexdigest()[:16]}"' if content.is_live else f'"{version}"'


def declare_personal(app: Litestar, prefix: str) -> None:
    """Finds the personal routes, once their policies are known.

    These are all below ``prefix``, and those for signed-in callers without a parameter in the path: what "my orders"
    are depends on who asks. A creation is none, because its tag is that of another URL.
    """
    for route in app.routes:
        if not isinstance(route, HTTPRoute):
            continue
        is_below = f"{route.path}/".startswith(f"{prefix}/")
        for method, (handler, _) in route.route_handler_map.items():
            if method != "OPTIONS":
                is_mine = policy_of(handler).requires_credentials and not route.path_parameters and method != "POST"
                handler.opt[_PERSONAL] = is_below or is_mine


def make_personal(request: Request[Any, Any, Any]) -> None:
    """For a handler whose answer is personal for some requests only."""
    request.scope["state"][_PERSONAL] = True


def is_personal(scope: Scope) -> bool:
    """Whether the request asks for something else when another user sends it."""
    handler: Any = scope.get("route_handler")
    return bool(scope["state"].get(_PERSONAL) or (handler is not None and handler.opt.get(_PERSONAL)))


def with_owner(tag: bytes, owner: UUID) -> bytes:
    """The tag of what a personal URL means for this user."""
    return b'%s.%s"' % (tag[:-1], owner.hex.encode())


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
    return any(current in {tag, _CODING_OF_TAG.sub(b'"', tag)} for tag in _TAGS.findall(header))


def has_current(request: Request[Any, Any, Any], current: str) -> bool:
    """Whether the answer will be a 304 if it has this tag, so that its content need not be made."""
    wanted = request.headers.getall("if-none-match", [])
    return bool(wanted) and if_none_match(", ".join(wanted).encode("latin-1"), current.encode())


_IfMatchHeader = Annotated[
    str | None,
    HeaderParameter(
        name="If-Match",
        max_length=1024,
        description="The ETag that the change is meant for; else 412.",
        required=False,
        schema_extra={"pattern": _IF_MATCH},
    ),
]


async def provide_if_match(request: Request[Any, Any, Any], if_match_header: _IfMatchHeader = None) -> IfMatch:
    """The ``If-Match`` header, see :func:`read_if_match`. A tag that carries an owner is good for what the URL means:
    of the caller where it is personal, and where the path has the owner's id.
    """
    if if_match_header is None:
        return IfMatch()
    principal = find_principal(request)
    owners: set[Any] = set(request.path_params.values())
    if principal is not None and is_personal(request.scope):
        owners = {principal.user_id}
    return read_if_match(if_match_header, {each.hex for each in owners if isinstance(each, UUID)})


def read_if_match(header: str, owners: set[str] | frozenset[str] = frozenset()) -> IfMatch:
    """``*`` matches any version; weak prefixes and what proxies add are stripped; other tags match nothing.

    Versions without an owner are good everywhere. Raises ``ValidationFailed``.
    """
    if header.strip() == "*":
        return IfMatch(is_any=True)
    if not _TAG_LIST.fullmatch(header):
        detail = 'Must be an ETag such as "3".'
        raise ValidationFailed([FieldError(header="If-Match", code=FieldCode.INVALID_FORMAT, detail=detail)])
    found = _VERSION.findall(header)
    return IfMatch(frozenset(int(version) for version, owner in found if not owner or owner in owners))
