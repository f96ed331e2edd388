"""Counters in Redis or Valkey, shared by all processes."""

import re
from typing import Any

from limits.aio.storage import RedisStorage
from redis.asyncio import BlockingConnectionPool


class RedisCounters(RedisStorage):
    """Fixed-window counters behind a ``redis://``, ``rediss://``, ``valkey://``, ``valkeys://`` or ``unix://`` URL.

    Each count is one Lua script, so it is atomic. A connection is waited for, made and read for at most
    ``timeout_seconds`` each and nothing is retried: a limit that waits is worse than one that fails, and
    :class:`.limiter.RateLimiter` says what happens then. Call :meth:`close` at the end.
    """

    def __init__(
        self, url: str, *, timeout_seconds: float = 0.5, max_connections: int = 50, key_prefix: str = "ratelimit"
    ) -> None:
        self._pool = BlockingConnectionPool.from_url(  # pyright: ignore[reportUnknownMemberType]  # untyped options
            re.sub(r"^valkey(s?)://", r"redis\1://", url),
            max_connections=max_connections,
            timeout=timeout_seconds,
            socket_timeout=timeout_seconds,
            socket_connect_timeout=timeout_seconds,
        )
        # A pool of our own, because the one that limits makes is unbounded.
        options: dict[str, Any] = {"connection_pool": self._pool}
        super().__init__("async+redis://", implementation="redispy", key_prefix=key_prefix, **options)

    async def close(self) -> None:
        """Close all connections."""
        await self._pool.disconnect()
