"""Limits, and counting against them, also while the counters are out of reach."""

import logging
import math
import re
import time
from collections.abc import Mapping, Sequence
from enum import Enum
from functools import lru_cache
from hashlib import sha256
from ipaddress import IPv4Address, IPv6Network, ip_network
from typing import Self, TypeAlias
from zlib import crc32

import limits
import msgspec

from app.lib.addresses import parse_address, parse_network
from app.lib.errors import RateLimited
from app.lib.observability.counters import ProcessCounter
from app.lib.ratelimit.counters import Count, Counters, MemoryCounters

REFUSALS = ProcessCounter("rate_limit_refusals", "What rate limits have refused.", "policy")

_LOG = logging.getLogger(__name__)

_MAX_AMOUNT = 1_000_000_000  # fits a 32-bit column and a structured-field integer
_MAX_SECONDS = 366 * 24 * 60 * 60
_NAME = re.compile(r"[a-z][a-z0-9_.-]{0,39}")
_MAX_KEY_LENGTH = 100
_UNKNOWN = "unknown"


class Limit(msgspec.Struct, frozen=True):
    """At most ``amount`` hits in a fixed window of ``seconds``."""

    amount: int
    seconds: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads ``600/minute``, ``30 per hour`` or ``10 per 15 minutes``; raises ``ValueError`` on anything else.

        A list of limits is refused, too: ``limits.parse`` would silently keep its first one.
        """
        try:
            items = limits.parse_many(text)
        except ValueError:
            items = []
        if len(items) != 1:
            raise ValueError(f"{text!r} is not a rate limit; write it like '600/minute' or '10 per 15 minutes'")
        limit = cls(items[0].amount, items[0].get_expiry())
        if not (1 <= limit.amount <= _MAX_AMOUNT and limit.seconds <= _MAX_SECONDS):
            raise ValueError(f"{text!r} is out of range; a limit allows 1 to {_MAX_AMOUNT} in at most a year")
        return limit

    def times(self, factor: int) -> Self:
        """As many times as much in the same window."""
        return type(self)(self.amount * factor, self.seconds)

    def __str__(self) -> str:
        return f"{self.amount} per {self.seconds} seconds"


class WhenDown(Enum):
    """What a limit does while its shared counters cannot be reached."""

    ALLOW = "allow"
    """Let all requests pass. For the general limit: it protects capacity, and an outage of the counters must not
    become an outage of the service."""

    COUNT_HERE = "count_here"
    """Count in this process. For limits that guard credentials: an attacker who can hurt the counters must not win
    unlimited guesses by it. With n processes up to n times the limit passes, which is still a limit."""


class NamedLimit(msgspec.Struct, frozen=True):
    """A limit with the name that clients see and that keeps its counters apart from those of other limits."""

    name: str
    limit: Limit
    when_down: WhenDown = WhenDown.COUNT_HERE

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"{self.name!r} cannot name a rate limit; it must match {_NAME.pattern}")


Hit: TypeAlias = tuple[NamedLimit, str]
"""A limit, and the key that counts against it."""


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """The result of a hit: ``remaining`` hits are left until the window ends in ``reset_after_seconds`` (1 or more)."""

    limit: NamedLimit
    allowed: bool
    remaining: int
    reset_after_seconds: int

    def refusal(self, headers: Mapping[str, str] | None = None) -> RateLimited:
        """The error to raise when the hit was not allowed."""
        REFUSALS.add(self.limit.name)
        return RateLimited(self.reset_after_seconds, headers=headers)


def rate_limit_headers(verdicts: Sequence[Verdict]) -> list[tuple[bytes, bytes]]:
    """``RateLimit-Policy`` (quota ``q`` per window of ``w`` seconds) and ``RateLimit`` (``r`` left for ``t`` seconds).

    Both are structured-field lists with one item per verdict, in the order given; raw ASGI header pairs.
    """
    policies: list[str] = []
    states: list[str] = []
    for verdict in verdicts:
        named = verdict.limit
        policies.append(f'"{named.name}";q={named.limit.amount};w={named.limit.seconds}')
        states.append(f'"{named.name}";r={verdict.remaining};t={verdict.reset_after_seconds}')
    return [
        (b"ratelimit-policy", ", ".join(policies).encode("ascii")),
        (b"ratelimit", ", ".join(states).encode("ascii")),
    ]


@lru_cache(maxsize=8192)
def client_key(address: str | None) -> str:
    """The part of an address that one client is assumed to hold.

    IPv4 as it is; IPv6 its /64, because a subscriber has at least that many addresses to choose from. What is no
    address is ``unknown``, so all such clients share one counter. The address must be trusted: that of the peer, or
    one that a trusted proxy names.
    """
    parsed = parse_address(address)
    if parsed is None:
        return _UNKNOWN
    return str(parsed if isinstance(parsed, IPv4Address) else IPv6Network((int(parsed), 64), strict=False))


@lru_cache(maxsize=8192)
def counted_as(address: str, *, trusted: tuple[str, ...]) -> str | None:
    """The :func:`client_key` of a peer; None for a trusted proxy, which speaks for many clients, and for no address."""
    parsed = parse_address(address)
    if parsed is None or any(parsed in parse_network(each) for each in trusted):
        return None
    return client_key(address)


@lru_cache(maxsize=8192)
def network_key(address: str | None) -> str | None:
    """The network that an address is in: the /24 of an IPv4 address, the /48 of an IPv6 one, because one site may hold
    all its 65 536 networks (RFC 6177). None for what is no address.

    For limits that one client must not get around by changing its address, with room for a provider's many customers.
    """
    key = client_key(address)
    if key == _UNKNOWN:
        return None
    prefix = 48 if "/" in key else 24
    return str(ip_network(key).supernet(new_prefix=prefix))


class RateLimiter:
    """Counts hits in fixed windows.

    Windows follow the clock, shifted for each key by a hash of it, and the window's number is part of the counter's
    name. So one atomic increment is all that a hit costs, and windows of different keys do not all start in the
    same second. Machines that share counters need clocks that agree to about a second.

    While the counters fail, each limit does what its :class:`WhenDown` says; they are then tried by one call every
    ``retry_seconds``, so that an outage costs no request more than that one its timeout. An outage is logged once, and
    its end once. ``enabled=False`` allows all hits and counts none.
    """

    def __init__(self, counters: Counters, *, enabled: bool = True, retry_seconds: float = 1.0) -> None:
        self.counters = counters
        self.enabled = enabled
        self._fallback = MemoryCounters()
        self._retry_seconds = retry_seconds
        self._is_down = False
        self._retry_at = 0.0
        self._outage_errors: tuple[type[Exception], ...] = (*counters.base_exceptions, OSError, TimeoutError)

    async def hit(self, limit: NamedLimit, key: str) -> Verdict:
        """Counts a hit, and says whether it was within the limit. A refused hit counts as well."""
        if not self.enabled:
            return _unlimited(limit)
        name, reset_after = _window(limit, key)
        sums = await self._add(limit.when_down, [Count(name, limit.limit.seconds)])
        return _verdict(limit, sums[0], reset_after)

    async def hit_all(self, hits: Sequence[Hit], *, only_first_refuses: bool = False) -> list[Verdict]:
        """Counts a hit for each limit and key in one step, the narrowest limit first.

        What one refuses does not count for those after it, so that one client who is refused cannot use up what it
        shares with others. Returns the verdicts up to that one. With ``only_first_refuses`` the others count alone.
        """
        if not self.enabled:
            return [_unlimited(limit) for limit, _ in hits]
        windows = [_window(limit, key) for limit, key in hits]
        counts = [Count(name, limit.limit.seconds) for (limit, _), (name, _) in zip(hits, windows, strict=True)]
        sums = await self._add(hits[0][0].when_down, counts)
        verdicts = [
            _verdict(limit, count, reset_after)
            for (limit, _), (_, reset_after), count in zip(hits, windows, sums, strict=True)
        ]
        refusing = verdicts[:1] if only_first_refuses else verdicts
        end = next((n for n, verdict in enumerate(refusing, 1) if not verdict.allowed), len(verdicts))
        if hits[end:]:
            await self.give_back(hits[end:])
        return verdicts[:end]

    async def give_back(self, hits: Sequence[Hit], *, forgotten: Sequence[Hit] = ()) -> None:
        """Undoes a hit of this window for each limit and key, and all hits of those that are ``forgotten``."""
        if not self.enabled:
            return
        counts = [Count(_window(limit, key)[0], limit.limit.seconds, -1) for limit, key in hits]
        counts += [Count(_window(limit, key)[0], limit.limit.seconds, -_MAX_AMOUNT) for limit, key in forgotten]
        await self._add((*hits, *forgotten)[0][0].when_down, counts)

    async def _add(self, when_down: WhenDown, counts: Sequence[Count]) -> list[int]:
        now = time.monotonic()
        if not self._is_down or now >= self._retry_at:
            self._retry_at = now + self._retry_seconds  # for the others: this caller's answer settles it
            try:
                sums = await self.counters.add(counts)
            except self._outage_errors as error:
                self._retry_at = time.monotonic() + self._retry_seconds
                if not self._is_down:
                    self._is_down = True
                    reason = (str(error).splitlines() or [""])[0][:200]
                    _LOG.error("rate limit counters are out of reach: %s: %s", type(error).__name__, reason)
            else:
                if self._is_down:
                    self._is_down = False
                    _LOG.info("rate limit counters are back")
                return sums
        return [0] * len(counts) if when_down is WhenDown.ALLOW else await self._fallback.add(counts)


def _verdict(limit: NamedLimit, count: int, reset_after: int) -> Verdict:
    return Verdict(limit, count <= limit.limit.amount, max(0, limit.limit.amount - count), reset_after)


def _unlimited(limit: NamedLimit) -> Verdict:
    return Verdict(limit, allowed=True, remaining=limit.limit.amount, reset_after_seconds=limit.limit.seconds)


def _window(limit: NamedLimit, key: str) -> tuple[str, int]:
    """The counter's name for the current window, and the whole seconds until that ends."""
    if len(key) > _MAX_KEY_LENGTH or not (key.isascii() and key.isprintable()):
        key = sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
    seconds = limit.limit.seconds
    number, elapsed = divmod(time.time() + crc32(key.encode()) % seconds, seconds)
    return f"{limit.name}:{key}:{int(number)}", max(1, math.ceil(seconds - elapsed))
