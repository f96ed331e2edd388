"""One request, one transaction; and for idempotent creations, the response in it."""

from collections.abc import AsyncGenerator, Callable, Sequence
from functools import partial
from typing import Any

from litestar import Request
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from app.lib.db.engine import Database
from app.lib.db.idempotency import Claim, StoredResponse, take_all
from app.lib.db.uow import UnitOfWork
from app.lib.errors import FieldCode, FieldError, ValidationFailed
from app.lib.http.problems import error_of, send_problem
from app.lib.security.policies import find_principal

IDEMPOTENT = {"idempotent": True}
"""Spread into a creating handler's ``opt`` to make it honour ``Idempotency-Key``."""

REPLACEABLE = {"idempotent": "replaceable"}
"""The same, where :func:`app.lib.db.idempotency.replace_body` must find the stored response by its ``Location``."""

_ATTEMPT = "idempotency_attempt"
_OK, _MULTIPLE_CHOICES = 200, 300
_KEPT_HEADERS = {b"content-type", b"location", b"etag", b"link"}


class Attempt:
    """A request that brought a key, and its response, which is held back until it is committed.

    While it has a unit of work, it is the owner of that transaction.
    """

    def __init__(self, secrets: Sequence[bytes], keys: list[bytes], *, is_replaceable: bool) -> None:
        self._is_replaceable = is_replaceable
        self._secrets = secrets
        self._keys = keys
        self._claims: list[Claim] = []
        self.unit: UnitOfWork | None = None
        self.held: list[Message] = []

    async def begin(self, request: Request[Any, Any, Any], unit: UnitOfWork) -> None:
        """Takes the key. Raises what :func:`take_all` raises, and ``ValidationFailed`` for a bad key."""
        if len(self._keys) > 1:
            detail = "Must be sent once."
            raise ValidationFailed([FieldError(header="Idempotency-Key", code=FieldCode.INVALID_FORMAT, detail=detail)])
        principal = find_principal(request)
        self._claims = Claim.make_all(
            self._secrets,
            caller=str(principal.user_id) if principal else "anonymous",
            method=request.method,
            path=request.scope["path"],
            key=self._keys[0].decode("latin-1"),
            body=await request.body(),
        )
        await self._take(unit)
        unit.reopen = self._take
        self.unit = unit

    async def _take(self, unit: UnitOfWork) -> None:
        await take_all(unit, self._claims)

    async def hold(self, message: Message) -> None:
        """A ``send`` that keeps the messages."""
        self.held.append(message)

    async def settle(self) -> None:
        """Commits work, key and response together when the response is a success; else none of them."""
        start: Any = self.held[0] if self.held else {"status": 0}
        if self.unit is None or not _OK <= start["status"] < _MULTIPLE_CHOICES:
            return
        headers = [(n.lower(), v) for n, v in start["headers"] if n.lower() in _KEPT_HEADERS]
        parts: list[Any] = self.held[1:]
        body = b"".join(each["body"] for each in parts if each["type"] == "http.response.body")
        location = dict(headers)[b"location"].decode() if self._is_replaceable else None
        for claim in self._claims:
            await claim.keep(self.unit, StoredResponse(start["status"], headers, body), location)
        await self.unit.commit()
        self.unit = None


def unit_provider(database: Database) -> Callable[[Request[Any, Any, Any]], AsyncGenerator[UnitOfWork, None]]:
    """The provider of the request's transaction, the only generator dependency there is."""

    async def provide_unit(request: Request[Any, Any, Any]) -> AsyncGenerator[UnitOfWork, None]:
        """Commits before the response starts, so that a failed commit is an error. With an idempotency key the
        middleware below commits instead, because the response belongs into the same transaction.
        """
        unit = database.unit()
        attempt: Attempt | None = request.scope["state"].get(_ATTEMPT)
        try:
            if attempt is not None:
                await attempt.begin(request, unit)
            yield unit
            if attempt is None:
                await unit.commit()
        except BaseException:
            if attempt is not None:
                attempt.unit = None
            await unit.rollback()
            raise

    return provide_unit


class IdempotencyMiddleware:
    """Holds the response of a keyed creation back until it is committed together with the work itself."""

    def __init__(self, secret: bytes, fallbacks: Sequence[bytes] = ()) -> None:
        """``fallbacks`` are former secrets."""
        self._secrets = (secret, *fallbacks)

    def __call__(self, app: ASGIApp) -> ASGIApp:
        return partial(self._handle, app)

    async def _handle(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        """Only 2xx is kept; what was refused leaves no trace and runs again."""
        opt = scope["route_handler"].opt
        keys = [value for name, value in scope["headers"] if name == b"idempotency-key"] if "idempotent" in opt else []
        if not keys:
            await app(scope, receive, send)
            return
        scope["state"][_ATTEMPT] = attempt = Attempt(
            self._secrets, keys, is_replaceable=opt["idempotent"] == "replaceable"
        )
        try:
            await app(scope, receive, attempt.hold)
            try:
                await attempt.settle()
            except Exception as exc:  # noqa: BLE001 - each one has its answer
                # Answered here, because for Litestar the response has started and exceptions come too late.
                attempt.held.clear()
                await send_problem(scope, attempt.hold, error_of(exc, scope))
        finally:
            if attempt.unit is not None:  # neither committed nor rolled back by its provider
                await attempt.unit.rollback()
        for message in attempt.held:
            await send(message)
