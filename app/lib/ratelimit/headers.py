"""The response headers of draft-ietf-httpapi-ratelimit-headers."""

from collections.abc import Sequence

from app.lib.ratelimit.policy import Verdict


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
