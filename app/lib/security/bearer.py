"""Who is asking, and whether they may: ``Authorization: Bearer`` (RFC 6750 section 2.1) and the route's policy.

Nothing else carries credentials: no cookie, no query, no body.
"""

from litestar.connection import ASGIConnection
from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Receive, Scope, Send

from app.lib.errors import InvalidToken
from app.lib.security.policies import POLICY, Policy
from app.lib.security.principal import Authenticator


class BearerMiddleware(ASGIMiddleware):
    """Puts the principal into ``scope["user"]`` on routes whose policy reads credentials, and asks the policy.

    It comes before everything that looks at the rest of a request, so whoever may not is told nothing else. A token
    that is sent but not valid is refused, on optional routes too: a client that thinks it is signed in must not be
    answered as if it were somebody else.
    """

    scopes = (ScopeType.HTTP,)

    def __init__(self, authenticator: Authenticator) -> None:
        self._authenticator = authenticator

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Raises ``InvalidToken`` for credentials that are not good, and what the policy raises."""
        scope["user"] = None
        scope["auth"] = None
        handler = scope["route_handler"]
        policy = handler.opt.get(POLICY)
        if isinstance(policy, Policy):
            if policy.reads_credentials and (token := bearer_token(scope)) is not None:
                scope["user"] = await self._authenticator.authenticate(token)
            await policy(ASGIConnection(scope), handler)
        await next_app(scope, receive, send)


def bearer_token(scope: Scope) -> str | None:
    """The token, None when there is no ``Authorization`` header. Raises ``InvalidToken`` for anything else."""
    values = [value for name, value in scope["headers"] if name == b"authorization"]
    if not values:
        return None
    scheme, _, token = values[0].partition(b" ")
    if len(values) > 1 or scheme.lower() != b"bearer" or not token.isascii() or not token.strip():
        raise InvalidToken("Send exactly one 'Authorization: Bearer …' header.")
    return token.strip().decode()
