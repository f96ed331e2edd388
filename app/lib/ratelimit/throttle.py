"""Limits on attempts at an account: passwords, codes, mailed links."""

from hashlib import sha256
from typing import ClassVar

from app.lib.ratelimit.limiter import (
    Hit,
    Limit,
    NamedLimit,
    RateLimiter,
    client_key,
    network_key,
    rate_limit_headers,
)

_DIGEST_LENGTH = 32  # 128 bits in hex


class Throttle:
    """Bounds attempts for each account from one client address, for the address, for its network, for the account, and
    for all of them together.

    Use: :meth:`check` before the credentials are verified, then :meth:`succeeded` or :meth:`abandoned`, or neither for
    an attempt that failed. An attempt is counted when it is checked and handed back when it succeeds, so parallel
    guesses cannot slip through between a look at the counter and the failure that raises it: no more than the limit
    are ever verified in a window. Each call is one round trip to the counters.

    The narrower limit comes first, and what it refuses does not count for the wider ones. So one address alone cannot
    use up an account's limit when that is the higher one, and one person's mistakes cannot use up the address of an
    office: they are refused after ``per_account_and_address``, which is far below ``per_address``.

    ``account_key`` is the account's canonical name as the caller typed it, made equal for all spellings, whether
    such an account exists or not. Only digests reach the counters, so no address lies there in the clear.
    ``trusted`` says that the attempt comes from where the account is signed in already: then only the limit for the
    account from this address refuses it, so that strangers who exhaust the others cannot lock the owner out. It is
    counted all the same, so that the time it takes does not tell that such an account exists.

    A subclass has the limits. A network has ten times that of an address. ``together`` has a short window, because
    those who use it up keep all strangers out until it ends.
    """

    name: ClassVar[str]
    per_account: ClassVar[Limit]
    per_account_and_address: ClassVar[Limit]
    per_address = Limit(100, 3600)
    together = Limit(1000, 60)

    def __init__(self, limiter: RateLimiter) -> None:
        self._limiter = limiter
        self._pair = NamedLimit(f"{self.name}.pair", self.per_account_and_address)
        self._address = NamedLimit(f"{self.name}.address", self.per_address)
        self._network = NamedLimit(f"{self.name}.network", self.per_address.times(10))
        self._account = NamedLimit(f"{self.name}.account", self.per_account)
        self._together = NamedLimit(f"{self.name}.together", self.together)

    async def check(self, account_key: str, address: str | None, *, trusted: bool = False) -> bool:
        """Counts an attempt; raises ``RateLimited`` when it must not be made. True when it is the last one of this
        address at the account, which is worth an audit entry if it fails.
        """
        verdicts = await self._limiter.hit_all(self._hits(account_key, address), only_first_refuses=trusted)
        refusing = verdicts[0 if trusted else -1]
        if not refusing.allowed:
            # Names the limit, for a client that is well within those that every answer names.
            named = {name.decode(): value.decode() for name, value in rate_limit_headers([refusing])}
            raise refusing.refusal(named)
        guarding = (self._pair,) if trusted else (self._pair, self._account)
        return any(verdict.remaining == 0 for verdict in verdicts if verdict.limit in guarding)

    async def succeeded(self, account_key: str, address: str | None) -> None:
        """The credentials were right: forget this address's attempts at the account, and hand the others this one back.

        Their other attempts stay, else every sign-in of its owner would grant an attacker a fresh limit.
        """
        pair, *others = self._hits(account_key, address)
        await self._limiter.give_back(others, forgotten=[pair])

    async def abandoned(self, account_key: str, address: str | None) -> None:
        """The credentials were never verified (overload, a fault): hand the attempt back."""
        await self._limiter.give_back(self._hits(account_key, address))

    def _hits(self, account_key: str, address: str | None) -> list[Hit]:
        """The narrowest first. Clients without an address have no network either, and share nothing with each other."""
        pair = (self._pair, _digest(f"{account_key}\n{client_key(address)}"))
        rest = [(self._account, _digest(account_key)), (self._together, "all")]
        if (network := network_key(address)) is None:
            return [pair, *rest]
        return [pair, (self._address, _digest(client_key(address))), (self._network, _digest(network)), *rest]


def _digest(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST_LENGTH]
