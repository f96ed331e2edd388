"""The Lodestar API with types, a sign-in that renews itself, and retries that do nothing twice."""

import asyncio
import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeVar, cast
from uuid import uuid4

import httpx

from .generated.api.auth import login, logout, refresh
from .generated.client import AuthenticatedClient
from .generated.idempotent import IDEMPOTENT
from .generated.models import FieldError, Problem, Refresh, SignIn, TokenPair
from .realtime import Realtime, RealtimeError

__all__ = ["LodestarClient", "ProblemError", "Tokens", "unwrap"]

FIRST_WAIT, LONGEST_WAIT, LONGEST_ASKED = 0.5, 20.0, 60.0
_REPEATABLE = re.compile(f"(?:{'|'.join(re.sub(r'{[^}]+}', '[^/]+', path) for path in IDEMPOTENT)})$")
_WITHOUT_TOKEN = re.compile(r"/api/v1/auth/(?:login|refresh)")
T = TypeVar("T")


class ProblemError(Exception):
    """What the service refused. ``errors`` says what is wrong with which member (``pointer``), parameter or header.

    ``problem`` is the whole answer; None where it came from a proxy and not from the service.
    """

    def __init__(self, status: int, problem: Problem | None = None) -> None:
        super().__init__(problem.detail if problem else f"status {status}")
        self.status, self.problem = status, problem
        self.code: str = problem.code if problem else "unknown"
        self.errors: list[FieldError] = (problem.errors or []) if problem else []


def unwrap(answer: T | Problem | None) -> T:
    """The body of a success; raises ``ProblemError`` for a problem: ``unwrap(await get_me.asyncio(client=…))``."""
    if isinstance(answer, Problem):
        raise ProblemError(answer.status, answer)
    return cast("T", answer)


@dataclass(frozen=True, slots=True)
class Tokens:
    """Of a sign-in; or an API key (``ldk_…``) as the access token."""

    access_token: str
    refresh_token: str | None = None


class LodestarClient(httpx.AsyncClient):
    """An asynchronous context manager; ``api`` is what generated functions take as their client.

    ``on_tokens`` is called with each new pair, and with None when the session has ended. A request that may be repeated
    is sent ``attempts`` times at most. ``options`` are those of ``httpx.AsyncClient``.
    """

    def __init__(
        self,
        base_url: str,
        *,
        tokens: Tokens | None = None,
        on_tokens: Callable[[Tokens | None], object] = lambda tokens: None,
        attempts: int = 5,
        **options: Any,
    ) -> None:
        super().__init__(base_url=base_url, **{"timeout": 30.0, **options})
        # Its token is never sent: this client, which it sends by, puts in the one of the moment.
        self.api = AuthenticatedClient(base_url=base_url, token="", raise_on_unexpected_status=True)
        self.api.set_async_httpx_client(self)
        self._tokens, self._on_tokens, self._attempts = tokens, on_tokens, attempts
        self._renewing = asyncio.Lock()

    @property
    def tokens(self) -> Tokens | None:
        """Set it to what a sign-in of another kind (second factor, passkey) gave, or to None to forget it."""
        return self._tokens

    @tokens.setter
    def tokens(self, tokens: Tokens | None) -> None:
        self._tokens = tokens
        self._on_tokens(tokens)

    async def sign_in(self, username: str, password: str) -> None:
        """With a username or an e-mail address."""
        body = SignIn(username=username, password=password)
        self.tokens = _tokens_of(unwrap(await login.asyncio(client=self.api, body=body)))

    async def sign_out(self) -> None:
        """Ends the session."""
        unwrap(await logout.asyncio(client=self.api))
        self.tokens = None

    def realtime(self) -> Realtime:
        """A socket that takes the tokens of this client."""

        async def get_token(renew: bool) -> str:
            if renew and self._tokens is not None:
                await self._renew(self._tokens.access_token)
            if self._tokens is None:
                raise RealtimeError("unauthenticated", "sign in first")
            return self._tokens.access_token

        return Realtime(str(self.base_url), get_token=get_token)

    async def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        """With the token of the moment, again with a new one when that is refused, and again when it is safe."""
        path, base = request.url.path, self.base_url
        if request.method == "POST" and _REPEATABLE.search(path):
            request.headers.setdefault("Idempotency-Key", str(uuid4()))
        is_safe = request.method in {"GET", "HEAD"} or "Idempotency-Key" in request.headers
        is_safe = is_safe or path.endswith("/auth/refresh")  # the service gives the same pair again
        is_own = (request.url.scheme, request.url.netloc) == (base.scheme, base.netloc)  # no other host gets the token
        takes_token = is_own and not _WITHOUT_TOKEN.search(path)
        renewed, attempt = False, 0
        while True:
            attempt += 1
            token = self._tokens.access_token if self._tokens and takes_token else None
            if token is not None:
                request.headers["Authorization"] = f"Bearer {token}"
            may_repeat = is_safe and attempt < self._attempts
            try:
                answer = await super().send(request, **options)
            except httpx.TransportError:
                if not may_repeat:
                    raise
                wait = _wait_after(None, attempt)
            else:
                if token is not None and not renewed and _is_refused(answer):
                    renewed = True
                    if await self._renew(token):
                        continue
                wait = _wait_after(answer, attempt) if may_repeat else None
                if wait is None:
                    return _checked(answer)
            await asyncio.sleep(wait or 0)

    async def _renew(self, stale: str) -> bool:
        """Replaces the tokens once, however many requests were refused; returns whether there are new ones."""
        async with self._renewing:
            tokens = self._tokens
            if tokens is not None and tokens.access_token == stale and tokens.refresh_token is not None:
                answer = await refresh.asyncio(client=self.api, body=Refresh(refresh_token=tokens.refresh_token))
                if isinstance(answer, Problem) and answer.status in {400, 401}:
                    self.tokens = None
                else:
                    self.tokens = _tokens_of(unwrap(answer))
        return self._tokens is not None and self._tokens.access_token != stale


def _tokens_of(pair: TokenPair) -> Tokens:
    return Tokens(pair.access_token, pair.refresh_token)


def _is_refused(answer: httpx.Response) -> bool:
    challenge = answer.headers.get("WWW-Authenticate", "")
    return answer.status_code == HTTPStatus.UNAUTHORIZED and 'error="invalid_token"' in challenge


def _wait_after(answer: httpx.Response | None, attempt: int) -> float | None:
    """Seconds until a request may be sent again, with full jitter; None when it is answered."""
    if answer is not None and answer.status_code not in {429, 503}:
        return None
    asked = answer.headers.get("Retry-After", "") if answer is not None else ""
    least = float(asked) if asked.isdecimal() else 0.0
    jitter = random.uniform(0, min(LONGEST_WAIT, FIRST_WAIT * 2**attempt))  # noqa: S311 - no secret
    return least + jitter if least <= LONGEST_ASKED else None


def _checked(answer: httpx.Response) -> httpx.Response:
    """Raises ``ProblemError`` for a refusal that is not the service's own, which generated functions cannot read."""
    if answer.is_error and "json" not in answer.headers.get("Content-Type", ""):
        raise ProblemError(answer.status_code)
    return answer
