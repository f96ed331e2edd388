"""Who is asking, and whether they may: ``Authorization: Bearer`` (RFC 6750 section 2.1) and the route's policy.

Nothing else carries credentials: no cookie, no query, no body. The exception are routes that browsers cannot send
headers to: there a ticket in the query replaces them, which is good once, and only there.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from litestar.types import ASGIApp, Receive, Scope, Send

from app.lib.errors import InvalidToken
from app.lib.security.policies import POLICY, Policy, check_debts, is_open_to_debtors
from app.lib.security.principal import Authenticator, TicketTaker


class BearerMiddleware:
    """Puts the principal into ``scope["user"]`` on routes whose policy reads credentials, and asks the policy.

    It runs before the rest of a request is looked at, so a caller without rights learns nothing else. A token that is
    sent but not valid is refused, on optional routes too: a client that thinks it is signed in must not be answered as
    an anonymous one.
    """

    def __init__(
        self,
        authenticator: Authenticator,
        tickets: TicketTaker | None = None,
        check_origin: Callable[[Scope], None] | None = None,
    ) -> None:
        """``check_origin`` is asked on routes that take tickets, before one is used up. It raises."""
        self._authenticator = authenticator
        self._tickets = tickets
        self._check_origin = check_origin

    def __call__(self, app: ASGIApp) -> ASGIApp:
        return partial(self._handle, app)

    async def _handle(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        await self.admit(scope, scope["route_handler"])
        await app(scope, receive, send)

    async def admit(self, scope: Scope, handler: BaseRouteHandler) -> None:
        """Raises ``InvalidToken`` for credentials that are not good, and what the policy or
        ``check_debts`` raises.
        """
        scope["user"] = None
        scope["auth"] = None
        policy = handler.opt.get(POLICY)
        if isinstance(policy, Policy):
            if policy.reads_credentials and (token := bearer_token(scope)) is not None:
                scope["user"] = await self._authenticator.authenticate(token)
            if policy.takes_ticket:
                await self._take_ticket(scope)
            if scope["user"] is not None and not is_open_to_debtors(handler):
                check_debts(scope["user"])
            await policy(ASGIConnection(scope), handler)

    async def _take_ticket(self, scope: Scope) -> None:
        """A ticket that is sent has to be good, also next to a token, and of the same user."""
        if self._check_origin is not None:
            self._check_origin(scope)
        if self._tickets is None or not scope["query_string"]:
            return
        tickets = ASGIConnection[Any, Any, Any, Any](scope).query_params.getall("ticket", [])
        if not tickets:
            return
        if len(tickets) > 1:
            raise InvalidToken("Send one ticket.")
        principal = await self._tickets.take(tickets[0])
        if scope["user"] is not None and scope["user"].user_id != principal.user_id:
            raise InvalidToken("The token and the ticket belong to different users.")
        scope["user"] = scope["user"] or principal


def bearer_token(scope: Scope) -> str | None:
    """The token, None when there is no ``Authorization`` header. Raises ``InvalidToken`` for anything else."""
    values = [value for name, value in scope["headers"] if name == b"authorization"]
    if not values:
        return None
    scheme, _, token = values[0].partition(b" ")
    if len(values) > 1 or scheme.lower() != b"bearer" or not token.isascii() or not token.strip():
        raise InvalidToken("Send exactly one 'Authorization: Bearer …' header.")
    return token.strip().decode()
