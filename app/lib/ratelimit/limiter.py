"""Counting against limits, and what happens while the counters are out of reach."""

import logging
import math
import time
from collections.abc import Callable
from hashlib import sha256
from zlib import crc32

from limits.aio.storage import Storage

from app.lib.ratelimit.memory import MemoryCounters
from app.lib.ratelimit.policy import NamedLimit, Verdict, WhenDown

_LOG = logging.getLogger(__name__)
_MAX_KEY_LENGTH = 100


class RateLimiter:
    """Counts hits in fixed windows, in any storage of the ``limits`` package (``incr``, ``get`` and ``clear``).

    Windows follow the clock, shifted for each key by a hash of it, and the window's number is part of the counter's
    name. So one atomic increment is all that a hit costs: what is left and when the window ends need no second
    question, and keys do not all start afresh in the same second. Machines that share counters need clocks that
    agree to about a second.

    While the storage fails, each limit does what its :class:`WhenDown` says; the storage is then tried by one hit
    every ``retry_seconds``, so that an outage costs no request more than that one its timeout. An outage is
    logged once, and its end once.

    ``enabled=False`` allows everything and counts nothing. ``observe`` is called with every verdict of :meth:`hit`
    (metrics).
    """

    def __init__(
        self,
        storage: Storage,
        *,
        enabled: bool = True,
        retry_seconds: float = 1.0,
        observe: Callable[[Verdict], None] | None = None,
    ) -> None:
        self.storage = storage
        self.enabled = enabled
        self._fallback = MemoryCounters()
        self._outage = _Outage(retry_seconds)
        self._observe = observe
        declared = storage.base_exceptions
        kinds = declared if isinstance(declared, tuple) else (declared,)
        self._outage_errors: tuple[type[Exception], ...] = (*kinds, OSError, TimeoutError)

    async def hit(self, limit: NamedLimit, key: str, cost: int = 1) -> Verdict:
        """Count ``cost`` and say whether it was within the limit. A refused hit counts as well."""
        if not self.enabled:
            return _unlimited(limit)
        counter, reset_after = _window(limit, key)
        hits = await self._incr(limit, counter, cost)
        amount = limit.limit.amount
        verdict = Verdict(limit, hits <= amount, max(0, amount - hits), reset_after)
        if self._observe is not None:
            self._observe(verdict)
        return verdict

    async def test(self, limit: NamedLimit, key: str, cost: int = 1) -> Verdict:
        """Say what :meth:`hit` would say, and count nothing."""
        if not self.enabled:
            return _unlimited(limit)
        counter, reset_after = _window(limit, key)
        hits = await self._get(limit, counter)
        amount = limit.limit.amount
        return Verdict(limit, hits + cost <= amount, max(0, amount - hits), reset_after)

    async def give_back(self, limit: NamedLimit, key: str, cost: int = 1) -> None:
        """Undo a hit of this window."""
        if self.enabled:
            await self._incr(limit, _window(limit, key)[0], -cost)

    async def clear(self, limit: NamedLimit, key: str) -> None:
        """Forget all hits of this window."""
        if not self.enabled:
            return
        counter, _ = _window(limit, key)
        await self._fallback.clear(counter)
        if self._outage.may_try():
            try:
                await self.storage.clear(counter)
            except self._outage_errors as error:
                self._outage.began(error)
            else:
                self._outage.ended()

    async def _incr(self, limit: NamedLimit, counter: str, amount: int) -> int:
        if self._outage.may_try():
            try:
                hits = await self.storage.incr(counter, limit.limit.seconds, amount)
            except self._outage_errors as error:
                self._outage.began(error)
            else:
                self._outage.ended()
                return hits
        if limit.when_down is WhenDown.ALLOW:
            return 0
        return await self._fallback.incr(counter, limit.limit.seconds, amount)

    async def _get(self, limit: NamedLimit, counter: str) -> int:
        if self._outage.may_try():
            try:
                hits = await self.storage.get(counter)
            except self._outage_errors as error:
                self._outage.began(error)
            else:
                self._outage.ended()
                return hits
        return 0 if limit.when_down is WhenDown.ALLOW else await self._fallback.get(counter)


class _Outage:
    """Remembers that the storage is down and lets one caller at a time find out whether it still is."""

    __slots__ = ("_is_on", "_retry_at", "_retry_seconds")

    def __init__(self, retry_seconds: float) -> None:
        self._is_on = False
        self._retry_at = 0.0
        self._retry_seconds = retry_seconds

    def may_try(self) -> bool:
        if not self._is_on:
            return True
        now = time.monotonic()
        if now < self._retry_at:
            return False
        self._retry_at = now + self._retry_seconds  # for the others: this caller's answer settles it
        return True

    def began(self, error: Exception) -> None:
        self._retry_at = time.monotonic() + self._retry_seconds
        if not self._is_on:
            self._is_on = True
            _LOG.error("rate limit counters are out of reach: %s: %s", type(error).__name__, error)

    def ended(self) -> None:
        if self._is_on:
            self._is_on = False
            _LOG.info("rate limit counters are back")


def _window(limit: NamedLimit, key: str) -> tuple[str, int]:
    """The counter's name for the current window, and the whole seconds until that ends."""
    if len(key) > _MAX_KEY_LENGTH or not (key.isascii() and key.isprintable()):
        key = sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
    seconds = limit.limit.seconds
    number, elapsed = divmod(time.time() + crc32(key.encode()) % seconds, seconds)
    return f"{limit.name}:{key}:{int(number)}", max(1, math.ceil(seconds - elapsed))


def _unlimited(limit: NamedLimit) -> Verdict:
    return Verdict(limit, allowed=True, remaining=limit.limit.amount, reset_after_seconds=limit.limit.seconds)
