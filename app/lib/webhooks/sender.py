"""Sends one webhook to a stranger's server, and comes back in time, however that server behaves."""

import asyncio
import ssl
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import httpcore
import msgspec

from app.lib.clock import utc_now
from app.lib.names import Names, Resolve
from app.lib.observability.tracing import FAILURE, span, trace_headers
from app.lib.outgoing import Failure, GuardedNetwork, Unreachable, public_authorities

TOTAL_SECONDS = 15.0
"""For looking up the name, connecting, the handshake, sending, and the answer with its body, all together."""

_READ_BYTES = 4096
_KEPT_CHARACTERS = 1000
_OK, _MULTIPLE_CHOICES = 200, 300
_RETRY_AFTER_DIGITS = 9


class Answer(msgspec.Struct, kw_only=True):
    """What came of an attempt. ``failure`` is None when it was accepted (2xx)."""

    status: int | None = None
    body: str | None = None
    failure: Failure | None = None
    retry_after: timedelta | None = None
    duration_ms: int = 0


class WebhookSender:
    """An HTTP client that goes to public addresses only, follows no redirect, and knows no proxy, cookie or cache.

    Every attempt has a connection of its own, so that no two receivers ever share anything.
    """

    def __init__(
        self,
        *,
        user_agent: str,
        allow_private: bool = False,
        trust: ssl.SSLContext | None = None,
        resolve: Resolve | None = None,
        wire: httpcore.AsyncNetworkBackend | None = None,
        total_seconds: float = TOTAL_SECONDS,
    ) -> None:
        """``trust``, ``resolve`` and ``wire`` are the system's unless given."""
        self._network = GuardedNetwork(resolve or Names(), allow_private=allow_private, wire=wire)
        self._trust = trust
        self._user_agent = user_agent
        self._total_seconds = total_seconds

    async def send(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Posts the body as JSON. Does not raise, but for being cancelled."""
        with span("client", "POST", {"http.request.method": "POST"}) as found:
            answer = await self._send(url, {**headers, **trace_headers()}, body)
            with suppress(ValueError):  # the path may be a secret, so the host alone
                found["server.address"] = urlsplit(url).hostname or ""
            if answer.status is not None:
                found["http.response.status_code"] = answer.status
            if answer.failure is not None:
                found[FAILURE] = answer.failure.value
        return answer

    async def _send(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        answer, received, started = Answer(), bytearray(), time.monotonic()
        ours = {
            "Content-Type": "application/json",
            "User-Agent": self._user_agent,
            "Accept": "*/*",
            "Accept-Encoding": "identity",
            "Connection": "close",
        }
        try:
            async with asyncio.timeout(self._total_seconds):
                await self._exchange(url, [*ours.items(), *headers.items()], body, answer, received)
        except (TimeoutError, httpcore.TimeoutException):
            answer.failure = Failure.TIMEOUT
        except Unreachable as exc:
            answer.failure = exc.failure
        except (httpcore.NetworkError, OSError):
            answer.failure = Failure.CONNECTION_FAILED
        except Exception:  # noqa: BLE001 - a stranger's server must not be able to stop the sender
            answer.failure = Failure.INVALID_ANSWER
        if answer.status is not None:  # it decides as soon as it is there: a late or broken body changes nothing
            answer.failure = None if _OK <= answer.status < _MULTIPLE_CHOICES else Failure.REFUSED
            # Without U+0000, which PostgreSQL cannot store.
            text = received[:_READ_BYTES].decode("utf-8", "replace")
            answer.body = text.replace("\0", "")[:_KEPT_CHARACTERS]
        answer.duration_ms = int((time.monotonic() - started) * 1000)
        return answer

    async def _exchange(
        self, url: str, headers: list[tuple[str, str]], body: bytes, answer: Answer, received: bytearray
    ) -> None:
        """Reads no more of the answer than is worth showing; the rest is cut off with the connection.

        What has arrived is kept outside, because the time may be up in the middle of it.
        """
        if self._trust is None:
            self._trust = await asyncio.to_thread(public_authorities)
        async with (
            httpcore.AsyncConnectionPool(ssl_context=self._trust, network_backend=self._network) as connections,
            connections.stream("POST", url, headers=headers, content=body) as response,
        ):
            answer.status = response.status
            answer.retry_after = _retry_after({name.lower(): value for name, value in response.headers})
            async for chunk in response.aiter_stream():
                received += chunk
                if len(received) >= _READ_BYTES:
                    return


def _retry_after(headers: Mapping[bytes, bytes]) -> timedelta | None:
    """How long the receiver asks to wait, in seconds or until a date. Its own clock counts, where it shows that."""
    asked = headers.get(b"retry-after", b"")
    if asked.isdigit():
        return timedelta(seconds=int(asked)) if len(asked) <= _RETRY_AFTER_DIGITS else None
    until = _http_date(asked)
    if until is None:
        return None
    return max(timedelta(), until - (_http_date(headers.get(b"date", b"")) or utc_now()))


def _http_date(value: bytes) -> datetime | None:
    """An instant in one of the three forms of RFC 9110 section 5.6.7, which are in UTC."""
    try:
        parsed = parsedate_to_datetime(value.decode("latin-1"))
    except (ValueError, TypeError, OverflowError):
        return None
    return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed
