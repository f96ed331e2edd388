"""What caches may keep, and for how long."""

from hashlib import sha256
from typing import Any, TypeVar

import msgspec
from litestar import Request, Response

from app.lib.security.policies import find_principal, policy_of

T = TypeVar("T")


def shared(request: Request[Any, Any, Any], response: Response[T], *, seconds: int = 0) -> Response[T]:
    """Caches may share what was asked for without credentials: it is public. By default they have to ask each time
    whether it is current, so that a post that is no longer public is not shown.
    """
    if policy_of(request.route_handler).reads_credentials:
        response.headers["Vary"] = "Authorization"
    if find_principal(request) is None:
        response.headers["Cache-Control"] = f"public, max-age={seconds}, must-revalidate"
    return response


def tagged(response: Response[T]) -> Response[T]:
    """A list has no version, so its tag is made of its content."""
    digest = sha256(msgspec.json.encode(response.content)).hexdigest()
    response.headers["ETag"] = f'W/"{digest[:32]}"'
    return response
