"""Counters in Redis or Valkey. Loaded only where there is one, because the client library takes 3 MiB."""

import re
from collections.abc import Sequence
from typing import Any, cast

from redis.asyncio import BlockingConnectionPool, Redis
from redis.exceptions import RedisError

from app.lib.ratelimit.counters import Count

_ADD_IN_REDIS = """
local sums = {}
for i, key in ipairs(KEYS) do
    local sum = redis.call('incrby', key, ARGV[2 * i])
    if sum < 0 then
        redis.call('set', key, 0, 'keepttl')
        sum = 0
    end
    if redis.call('ttl', key) < 0 then
        redis.call('expire', key, ARGV[2 * i - 1])
    end
    sums[i] = sum
end
return sums
"""


class RedisCounters:
    """Counters for all processes, at a ``redis://``, ``rediss://``, ``valkey://``, ``valkeys://`` or ``unix://`` URL.

    Each call of ``add`` is one Lua script, so it is atomic. A connection is waited for, made and read for at most
    ``timeout_seconds`` each and nothing is retried: a limit that waits is worse than one that fails, and
    :class:`.limiter.RateLimiter` says what happens then. Call :meth:`close` at the end.
    """

    base_exceptions = (RedisError,)

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
        self._redis: Redis = Redis(connection_pool=self._pool)
        self._script: Any = self._redis.register_script(_ADD_IN_REDIS)
        self._prefix = key_prefix

    async def add(self, counts: Sequence[Count]) -> list[int]:
        keys = [f"{self._prefix}:{count.key}" for count in counts]
        return cast("list[int]", await self._script(keys, [part for count in counts for part in count[1:]]))

    async def check(self) -> bool:
        """Whether it answers."""
        try:
            return bool(await self._redis.ping())
        except (RedisError, OSError):
            return False

    async def close(self) -> None:
        await self._pool.disconnect()
