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

from app.lib.db.idempotency import Claim, StoredResponse
from app.lib.db.uow import UnitOfWork
from app.lib.errors import FieldCode, FieldError, ValidationFailed
from app.lib.http.problems import error_of, send_problem
from app.lib.security.policies import find_principal

IDEMPOTENT = {"idempotent": True}
"""Spread into a creating handler's ``opt`` to make it honour ``Idempotency-Key``."""

_ATTEMPT = "idempotency_attempt"
_OK, _MULTIPLE_CHOICES = 200, 300
_KEPT_HEADERS = {b"content-type", b"location", b"etag", b"link"}


class Attempt:
    """A request that brought a key. While it has a unit of work, it is the owner of that transaction."""

    def __init__(self, secret: bytes, keys: list[bytes]) -> None:
        self._secret = secret
        self._keys = keys
        self._claim: Claim | None = None
        self._unit: UnitOfWork | None = None

    async def begin(self, request: Request[Any, Any, Any], unit: UnitOfWork) -> None:
        """Takes the key. Raises what ``Claim.take`` raises, and ``ValidationFailed`` for a bad key."""
        if len(self._keys) > 1:
            detail = "Must be sent once."
            raise ValidationFailed([FieldError(header="Idempotency-Key", code=FieldCode.INVALID_FORMAT, detail=detail)])
        principal = find_principal(request)
        claim = Claim.make(
            self._secret,
            caller=str(principal.user_id) if principal else "anonymous",
            method=request.method,
            path=request.scope["path"],
            key=self._keys[0].decode("latin-1"),
            body=await request.body(),
        )
        await claim.take(unit)
        self._claim, self._unit = claim, unit

    def abandon(self) -> None:
        """Leaves the rollback to the provider of the unit of work."""
        self._unit = None

    async def settle(self, held: "HeldResponse") -> None:
        """Commits work, key and response together when the response is a success; else none of them."""
        if self._unit is None or self._claim is None:
            return
        if _OK <= held.status < _MULTIPLE_CHOICES:
            await self._claim.keep(self._unit, held.stored())
            await self._unit.commit()
            self._unit = None

    async def undo(self) -> None:
        """Rolls back what was neither committed nor abandoned."""
        if self._unit is not None:
            await self._unit.rollback()


async def provide_unit_of_work(
    request: Request[Any, Any, Any],
    db_session: NamedDependency[SkipValidation[AsyncSession]],
) -> AsyncGenerator[UnitOfWork, None]:
    """The request's transaction, committed before the response starts, so that a failed commit is an error.

    The only generator dependency there is. With an idempotency key the middleware below commits instead, because
    the response belongs into the same transaction.
    """
    unit = UnitOfWork(db_session)
    attempt: Attempt | None = request.scope["state"].get(_ATTEMPT)
    try:
        if attempt is not None:
            await attempt.begin(request, unit)
        yield unit
        if attempt is None:
            await unit.commit()
    except BaseException:
        if attempt is not None:
            attempt.abandon()
        await unit.rollback()
        raise


class IdempotencyMiddleware(ASGIMiddleware):
    """Holds the response of a keyed creation back until it is committed together with the work itself."""

    scopes = (ScopeType.HTTP,)

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Only 2xx is kept; what was refused leaves no trace and runs again."""
        keys = [value for name, value in scope["headers"] if name == b"idempotency-key"]
        if not keys or "idempotent" not in scope["route_handler"].opt:
            await next_app(scope, receive, send)
            return
        scope["state"][_ATTEMPT] = attempt = Attempt(self._secret, keys)
        held = HeldResponse()
        try:
            await next_app(scope, receive, held)
            try:
                await attempt.settle(held)
            except Exception as exc:  # noqa: BLE001 - each one has its answer
                # Answered here, because for Litestar the response has started and exceptions come too late.
                held = HeldResponse()
                await send_problem(scope, held, error_of(exc))
        finally:
            await attempt.undo()
        await held.release(send)


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
