"""Over the publish/subscribe of Redis or Valkey.

On a connection of its own instead of the client library's ``PubSub``, which reconnects without a word, so that no one
would know that messages may have been lost.
"""

import asyncio
import re
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import structlog
from redis.asyncio import BlockingConnectionPool, Redis
from redis.exceptions import RedisError

from app.lib.events.fanout.base import ALIVE_SECONDS, ConnectedFanout

log = structlog.stdlib.get_logger(__name__)

_TIMEOUT = 2.0
_MESSAGE_PARTS = 3


class RedisFanout(ConnectedFanout):
    """``url``: ``redis://``, ``rediss://``, ``valkey://``, ``valkeys://`` or ``unix://``."""

    max_message = 1 << 16
    faults = (RedisError, OSError)

    def __init__(self, url: str, *, topic: str = "hints", alive_seconds: float = ALIVE_SECONDS) -> None:
        super().__init__(alive_seconds)
        self._pool = BlockingConnectionPool.from_url(  # pyright: ignore[reportUnknownMemberType]  # untyped options
            re.sub(r"^valkey(s?)://", r"redis\1://", url),
            max_connections=4,
            timeout=_TIMEOUT,
            socket_timeout=_TIMEOUT,
            socket_connect_timeout=_TIMEOUT,
        )
        self._redis = Redis(connection_pool=self._pool)
        self._topic = topic
        self._mute_until = 0.0

    async def close(self) -> None:
        """Closes the connections."""
        await super().close()
        await self._pool.disconnect()

    async def send(self, messages: Sequence[bytes]) -> None:
        """In one round trip. After a failure nothing is tried for a second, so that no one waits."""
        if time.monotonic() < self._mute_until:
            return
        pipeline: Any = self._redis.pipeline(transaction=False)
        for each in messages:
            pipeline.publish(self._topic, each)
        try:
            await pipeline.execute()
        except self.faults as exc:
            self._mute_until = time.monotonic() + 1
            log.warning("events.publish_failed", error=type(exc).__name__)

    async def listen(self) -> None:
        """Until it breaks. A black hole breaks nothing by itself, so the server is asked now and then."""
        connection: Any = self._pool.make_connection()  # type: ignore[no-untyped-call]  # ships no types
        pings: asyncio.Task[None] | None = None
        try:
            await connection.connect()
            await connection.send_command("SUBSCRIBE", self._topic, check_health=False)
            if await connection.read_response(timeout=self._alive_seconds) is None:
                raise ConnectionResetError
            self.connected()
            pings = asyncio.create_task(self._ping(connection))
            while True:
                response: Any = await connection.read_response(timeout=2 * self._alive_seconds)
                if response is None:
                    raise ConnectionResetError
                if isinstance(response, list) and len(response) == _MESSAGE_PARTS and response[0] == b"message":
                    self._receive(response[2])
        finally:
            if pings is not None:
                pings.cancel()
            await connection.disconnect(nowait=True)

    async def _ping(self, connection: Any) -> None:
        with suppress(*self.faults):
            while True:
                await asyncio.sleep(self._alive_seconds)
                await connection.send_command("PING", check_health=False)
