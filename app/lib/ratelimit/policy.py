"""What a limit is and what counting against it says."""

import re
from enum import Enum
from typing import Self

import limits
import msgspec

from app.lib.errors import RateLimited

_MAX_AMOUNT = 1_000_000_000  # fits a 32-bit column and a structured-field integer
_MAX_SECONDS = 366 * 24 * 60 * 60
_NAME = re.compile(r"[a-z][a-z0-9_.-]{0,39}")


class Limit(msgspec.Struct, frozen=True):
    """So many hits (``amount``) in a fixed window of so many ``seconds``."""

    amount: int
    seconds: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``600/minute``, ``30 per hour`` or ``10 per 15 minutes``; raises ``ValueError`` on anything else.

        A list of limits is refused too: ``limits.parse`` would silently keep its first one.
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

    def __str__(self) -> str:
        return f"{self.amount} per {self.seconds} seconds"


class WhenDown(Enum):
    """What a limit does while its shared counters cannot be reached."""

    ALLOW = "allow"
    """Let everything pass. For the general limit: it protects capacity, and an outage of the counters must not
    become an outage of the service."""

    COUNT_HERE = "count_here"
    """Count in this process. For whatever guards credentials: an attacker who can hurt the counters must not win
    unlimited guesses by it. With n processes up to n times the limit passes, which is still a limit."""


class NamedLimit(msgspec.Struct, frozen=True):
    """A limit with the name that clients see and that keeps its counters apart from those of other limits."""

    name: str
    limit: Limit
    when_down: WhenDown = WhenDown.COUNT_HERE

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"{self.name!r} cannot name a rate limit; it must match {_NAME.pattern}")


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """What counting said: ``remaining`` hits are left until the window ends in ``reset_after_seconds`` (at least 1)."""

    limit: NamedLimit
    allowed: bool
    remaining: int
    reset_after_seconds: int

    def refusal(self) -> RateLimited:
        """The error to raise when the hit was not allowed."""
        return RateLimited(self.reset_after_seconds)
