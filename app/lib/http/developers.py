"""Who is the developer at this machine, for whom a development server has more than for all others.

A page of another site or port that is open in the same browser could reach the service, too: by a request to it, which
browsers send with ``Origin`` or ``Sec-Fetch-Site``, or by a name that resolves to this machine (DNS rebinding), which
is in ``Host``. A proxy or a tunnel on this machine may speak for a stranger, and says so.
"""

import re

from litestar.handlers import BaseRouteHandler
from litestar.types import Scope

from app.lib.addresses import parse_address
from app.lib.errors import NotFound
from app.lib.http.heads import headers_by_name
from app.lib.security.policies import Connection

_LOCAL_HOST = re.compile(rb"(?:(?:[a-z0-9-]+\.)*localhost|127\.0\.0\.1|\[::1\])(?::[0-9]{1,5})?", re.IGNORECASE)
_OWN_SITE = {b"same-origin", b"none"}
_OF_PROXIES = re.compile(rb"x-forwarded-.*|forwarded|via|x-real-ip|true-client-ip|cf-connecting-ip|x-client-ip")


def is_for_developer(scope: Scope) -> bool:
    """Whether a request comes from this machine itself, in person."""
    peer, headers = scope.get("client"), headers_by_name(scope["headers"])
    address, host, origin = parse_address(peer[0] if peer else None), headers.get(b"host", b""), headers.get(b"origin")
    return (
        address is not None
        and address.is_loopback
        and not any(_OF_PROXIES.fullmatch(name) for name in headers)
        and _LOCAL_HOST.fullmatch(host) is not None
        and (origin is None or origin.lower() == b"http://" + host.lower())
        and headers.get(b"sec-fetch-site", b"none") in _OWN_SITE
    )


async def only_for_developer(connection: Connection, _handler: BaseRouteHandler) -> None:
    """A guard. Raises ``NotFound``."""
    if not is_for_developer(connection.scope):
        raise NotFound
