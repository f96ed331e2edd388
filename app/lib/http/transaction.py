"""One request, one transaction; and for idempotent creations, the response in it."""

from collections.abc import AsyncGenerator
from typing import Any

from litestar import Request
from litestar.di import NamedDependency
from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.params import SkipValidation
from litestar.types import ASGIApp, Message, Receive, Scope, Send
from sqlalchemy.ext.asyncio import AsyncSession

from app.lib.db.uow import UnitOfWork
from app.lib.errors import FieldCode, FieldError, ValidationFailed
from app.lib.idempotency import Claim, StoredResponse
from app.lib.security.policies import find_principal
from app.lib.signals import Signals

IDEMPOTENT = {"idempotent": True}
"""Spread into a creating handler's ``opt`` to make it honour ``Idempotency-Key``."""

_ATTEMPT = "idempotency_attempt"
_OK, _MULTIPLE_CHOICES = 200, 300
_KEPT_HEADERS = {b"content-type", b"location", b"etag", b"link"}


class Attempt:
    """A request that brought a key. Whoever holds one is the owner of the transaction."""

    def __init__(self, claim: Claim) -> None:
        self.claim = claim
        self.unit: UnitOfWork | None = None


async def provide_unit_of_work(
    request: Request[Any, Any, Any],
    db_session: NamedDependency[SkipValidation[AsyncSession]],
    signals: NamedDependency[SkipValidation[Signals]],
) -> AsyncGenerator[UnitOfWork, None]:
    """The request's transaction, committed before the response starts, so that a failed commit is an error.

    The only generator dependency there is. With an idempotency key the middleware below commits instead, because
    the response belongs into the same transaction.
    """
    unit = UnitOfWork(db_session, signals.emit)
    attempt: Attempt | None = request.scope["state"].get(_ATTEMPT)
    try:
        if attempt is not None:
            attempt.unit = unit
            await attempt.claim.take(unit.session)
        yield unit
    except BaseException:
        await unit.rollback()
        raise
    if attempt is None:
        await unit.commit()


class IdempotencyMiddleware(ASGIMiddleware):
    """Holds the response of a keyed creation back until it is committed beside the work itself."""

    scopes = (ScopeType.HTTP,)

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Only 2xx is kept; what was refused leaves no trace and runs again."""
        keys = [value for name, value in scope["headers"] if name == b"idempotency-key"]
        if not keys or "idempotent" not in scope["route_handler"].opt:
            await next_app(scope, receive, send)
            return
        request: Request[Any, Any, Any] = Request(scope, receive, send)
        attempt = Attempt(await self._claim(request, keys))
        scope["state"][_ATTEMPT] = attempt
        held = HeldResponse()
        await next_app(scope, receive, held)
        if attempt.unit is not None and _OK <= held.status < _MULTIPLE_CHOICES:
            await self._commit(attempt.claim, attempt.unit, held)
        await held.release(send)

    async def _claim(self, request: Request[Any, Any, Any], keys: list[bytes]) -> Claim:
        if len(keys) > 1:
            detail = "Must be sent once."
            raise ValidationFailed([FieldError(header="Idempotency-Key", code=FieldCode.INVALID_FORMAT, detail=detail)])
        principal = find_principal(request)
        return Claim.make(
            self._secret,
            caller=str(principal.user_id) if principal else "anonymous",
            method=request.method,
            path=request.scope["path"],
            key=keys[0].decode("latin-1"),
            body=await request.body(),
        )

    @staticmethod
    async def _commit(claim: Claim, unit: UnitOfWork, held: "HeldResponse") -> None:
        try:
            await claim.keep(unit.session, held.stored())
            await unit.commit()
        except BaseException:
            await unit.rollback()
            raise


class HeldResponse:
    """A ``send`` that keeps the messages to itself."""

    def __init__(self) -> None:
        self._messages: list[Message] = []
        self.status = 0

    async def __call__(self, message: Message) -> None:
        """Takes a message."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
        self._messages.append(message)

    def stored(self) -> StoredResponse:
        """The response as it may be replayed: status, body, and the headers that describe them."""
        headers: list[tuple[bytes, bytes]] = []
        body = b""
        for message in self._messages:
            if message["type"] == "http.response.start":
                headers = [(n.lower(), v) for n, v in message["headers"] if n.lower() in _KEPT_HEADERS]
            elif message["type"] == "http.response.body":
                body += message["body"]
        return StoredResponse(self.status, headers, body)

    async def release(self, send: Send) -> None:
        """Sends what was held."""
        for message in self._messages:
            await send(message)
