"""When a delivery that failed is tried again (Standard Webhooks 1.0, "Deliverability and reliability")."""

import random
from datetime import timedelta

RETRY_AFTER = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
"""From one attempt to the next; the first attempt is made at once, so there are ten, over three days and four hours."""

LONGEST_WAIT = timedelta(hours=24)
"""The most that a receiver may ask for with ``Retry-After``."""

_JITTER = 0.2


def next_delay(attempts: int, asked: timedelta | None = None) -> timedelta | None:
    """How long to wait after so many attempts (from 1), or None when that was the last one.

    Up to a fifth is added at random, so that deliveries that failed together do not come back together. ``asked``
    is the receiver's own ``Retry-After``: it can make the wait longer, never shorter.
    """
    if attempts > len(RETRY_AFTER):
        return None
    spread = random.uniform(1, 1 + _JITTER)  # noqa: S311 - spreads the load, no secret
    return max(RETRY_AFTER[attempts - 1] * spread, min(asked or timedelta(), LONGEST_WAIT))
