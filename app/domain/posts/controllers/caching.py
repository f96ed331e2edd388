"""Who may keep what is public, and for how long."""

from hashlib import sha256
from typing import Any, TypeVar

import msgspec
from litestar import Request, Response

from app.lib.security.policies import find_principal, policy_of

T = TypeVar("T")

_ASK_FIRST = "public, max-age=0, must-revalidate"
"""Anybody may keep it, and has to ask each time whether it is current: no answer is older than the service's own."""


def shared(request: Request[Any, Any, Any], response: Response[T]) -> Response[T]:
    """Marks a public answer: caches may share it, unless it was asked for with credentials."""
    if policy_of(request.route_handler).reads_credentials:
        response.headers["Vary"] = "Authorization"
    if find_principal(request) is None:
        response.headers["Cache-Control"] = _ASK_FIRST
    return response


def tagged(response: Response[T]) -> Response[T]:
    """A list has no version, so its tag is made of what it says."""
    digest = sha256(msgspec.json.encode(response.content)).hexdigest()
    response.headers["ETag"] = f'W/"{digest[:32]}"'
    return response
