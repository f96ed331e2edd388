"""HTTP to identity providers."""

import asyncio
import logging
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Generic, TypeVar

import httpcore
import msgspec

from app.domain.identities.errors import ProviderUnavailable
from app.domain.identities.settings import is_allowed
from app.lib.names import Names
from app.lib.outgoing import GuardedNetwork, Unreachable, public_authorities

T = TypeVar("T")

_LOG = logging.getLogger(__name__)
_SERVER_ERROR = 500
_SECONDS_AFTER_FAILURE = 5.0


class ProviderClient:
    """Asks providers for JSON. Follows no redirect, and knows no proxy, cookie or cache. An answer that is larger than
    256 kB is none (:mod:`app.lib.outgoing`). One instance serves a process.
    """

    def __init__(self, *, user_agent: str, allow_private: bool, is_production: bool) -> None:
        self.seconds = 8.0
        """For looking up the name, connecting, the handshake, sending, and the whole answer."""
        self._network = GuardedNetwork(Names(), allow_private=allow_private)
        self._is_production = is_production
        self._headers = {"User-Agent": user_agent, "Accept": "application/json", "Accept-Encoding": "identity"}
        self._trust: ssl.SSLContext | None = None

    def check(self, url: str) -> None:
        """Raises ``ProviderUnavailable`` for a URL that neither this service nor a browser may be sent to."""
        if not is_allowed(url, is_production=self._is_production):
            raise refusal(url, "is neither https nor, in development, http to this machine")

    async def ask(
        self, url: str, *, form: str | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Any]:
        """The status and the JSON of an answer; with a form it is a POST. Raises ``ProviderUnavailable``."""
        self.check(url)
        sent = {**self._headers, **(headers or {}), "Connection": "close"}
        if form is not None:
            sent["Content-Type"] = "application/x-www-form-urlencoded"
        try:
            async with asyncio.timeout(self.seconds):
                return await self._exchange(url, list(sent.items()), form)
        except Unreachable as exc:
            raise refusal(url, exc.failure.value) from exc
        except Exception as exc:  # a stranger's server must not be able to break the sign-in
            raise refusal(url, type(exc).__name__) from exc

    async def _exchange(self, url: str, headers: list[tuple[str, str]], form: str | None) -> tuple[int, Any]:
        if self._trust is None:
            self._trust = await asyncio.to_thread(public_authorities)
        async with httpcore.AsyncConnectionPool(ssl_context=self._trust, network_backend=self._network) as connections:
            method, body = ("GET", None) if form is None else ("POST", form.encode())
            response = await connections.request(method, url, headers=headers, content=body)
        if response.status >= _SERVER_ERROR:
            raise ValueError(response.status)
        return response.status, msgspec.json.decode(response.content)


class Published(Generic[T]):
    """What a provider publishes: asked for when it is needed, by one request at a time, and kept for an hour.

    After a failure it is not asked for again for some seconds, so that a provider that hangs costs each request once.
    """

    def __init__(self, fetch: Callable[[], Awaitable[T]]) -> None:
        self._fetch = fetch
        self._lock = asyncio.Lock()
        self._kept: tuple[float, T] | None = None
        self._failed_at = float("-inf")

    async def get(self, *, max_age: float = 3600.0) -> T:
        """What is at most as old as this, in seconds. Raises ``ProviderUnavailable``."""
        async with self._lock:
            if self._kept is not None and time.monotonic() < self._kept[0] + max_age:
                return self._kept[1]
            if time.monotonic() < self._failed_at + _SECONDS_AFTER_FAILURE:
                raise ProviderUnavailable
            try:
                found = await self._fetch()
            except ProviderUnavailable:
                self._failed_at = time.monotonic()
                raise
            self._kept = time.monotonic(), found
            return found


def refusal(url: str, reason: str) -> ProviderUnavailable:
    """The error to raise; the log has the reason."""
    _LOG.warning("an identity provider cannot be used: %s %s", url.partition("?")[0], reason)
    return ProviderUnavailable()
