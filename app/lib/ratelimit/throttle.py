"""Limits on attempts at an account: passwords, codes, mailed links."""

from hashlib import sha256

from app.lib.errors import RateLimited
from app.lib.ratelimit.limiter import Limit, NamedLimit, RateLimiter, Verdict, client_key, rate_limit_headers

_DIGEST_LENGTH = 32  # 128 bits in hex


class Throttle:
    """Bounds failed attempts for each account, and for each account from one client address.

    Use: :meth:`check` before the credentials are verified, then exactly one of :meth:`failed`, :meth:`succeeded`
    and :meth:`abandoned`. An attempt is counted when it is checked and handed back when it succeeds, so parallel
    guesses cannot slip through between a look at the counter and the failure that raises it: no more than the limit
    are ever verified in a window.

    ``account_key`` is the account's canonical name as the caller typed it, made equal for all spellings, whether
    such an account exists or not. Only digests of it reach the counters, so no address lies there in the clear.
    ``trusted`` says that the attempt comes from where the account is signed in already: the account's own limit
    does not refuse it, so that strangers who exhaust it cannot lock the owner out. It is counted all the same, so
    that the time it takes does not tell that such an account exists. Pass the same value to both calls that take it.
    """

    def __init__(self, limiter: RateLimiter, name: str, *, per_account: Limit, per_account_and_address: Limit) -> None:
        self._limiter = limiter
        self._account = NamedLimit(f"{name}.account", per_account)
        self._pair = NamedLimit(f"{name}.pair", per_account_and_address)

    async def check(self, account_key: str, address: str | None, *, trusted: bool = False) -> None:
        """Count an attempt; raises ``RateLimited`` when it must not be made.

        The narrower limit comes first: what it refuses does not count for the account, so one address alone
        cannot use up the account's limit when that is the higher one.
        """
        verdict = await self._limiter.hit(self._pair, _pair_key(account_key, address))
        if not verdict.allowed:
            raise _refusal(verdict)
        verdict = await self._limiter.hit(self._account, _digest(account_key))
        if not (verdict.allowed or trusted):
            raise _refusal(verdict)

    async def failed(self, account_key: str, address: str | None, *, trusted: bool = False) -> bool:
        """The credentials were wrong. True when no further attempt is left now, which is worth an audit entry."""
        pair = await self._limiter.is_used_up(self._pair, _pair_key(account_key, address))
        account = await self._limiter.is_used_up(self._account, _digest(account_key))
        return pair or (account and not trusted)

    async def succeeded(self, account_key: str, address: str | None) -> None:
        """The credentials were right: forget this address's attempts, and hand the account this one back.

        The account's other attempts stay, else every sign-in of its owner would grant an attacker a fresh limit.
        """
        await self._limiter.clear(self._pair, _pair_key(account_key, address))
        await self._limiter.give_back(self._account, _digest(account_key))

    async def abandoned(self, account_key: str, address: str | None) -> None:
        """The credentials were never verified (overload, a fault): hand the attempt back."""
        await self._limiter.give_back(self._pair, _pair_key(account_key, address))
        await self._limiter.give_back(self._account, _digest(account_key))


def _refusal(verdict: Verdict) -> RateLimited:
    """Names the limit, for a client that is well within those that every answer names."""
    named = {name.decode(): value.decode() for name, value in rate_limit_headers([verdict])}
    return RateLimited(verdict.reset_after_seconds, headers=named)


def _pair_key(account_key: str, address: str | None) -> str:
    return _digest(f"{account_key}\n{client_key(address)}")


def _digest(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST_LENGTH]
