"""Over the publish/subscribe of Redis or Valkey: each process hears only of the channels that it listens to.

On a connection of its own instead of the client library's ``PubSub``, which reconnects without a word, so that nobody
would know that messages may have been lost.
"""

import asyncio
import re
import time
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import suppress
from typing import Any

import structlog
from redis.asyncio import BlockingConnectionPool, Redis
from redis.exceptions import RedisError

from app.lib.realtime.fanout.base import PAUSES, Fanout, Inbox

log = structlog.stdlib.get_logger(__name__)

ALIVE_SECONDS = 5.0
"""How often the connection is tried, and how long an answer may take."""

_TIMEOUT = 2.0
_MESSAGE_PARTS = 3
_FAULTS = (RedisError, OSError)
_OWN = "!"  # no channel's name; something must be subscribed to, or the connection would not be in that mode


class RedisFanout(Fanout):
    """``url``: ``redis://``, ``rediss://``, ``valkey://``, ``valkeys://`` or ``unix://``."""

    max_message = 1 << 20

    def __init__(self, url: str, *, key_prefix: str = "realtime:", alive_seconds: float = ALIVE_SECONDS) -> None:
        self._pool = BlockingConnectionPool.from_url(  # pyright: ignore[reportUnknownMemberType]  # untyped options
            re.sub(r"^valkey(s?)://", r"redis\1://", url),
            max_connections=4,
            timeout=_TIMEOUT,
            socket_timeout=_TIMEOUT,
            socket_connect_timeout=_TIMEOUT,
        )
        self._redis = Redis(connection_pool=self._pool)
        self._prefix = key_prefix
        self._alive_seconds = alive_seconds
        self._inbox = Inbox()
        self._connection: Any = None
        self._mute_until = 0.0
        self._task: asyncio.Task[None] | None = None

    @property
    def is_connected(self) -> bool:
        """Whether we are subscribed, as far as is known."""
        return self._connection is not None

    async def on_startup(self) -> None:
        """Starts to connect; does not wait for it."""
        self._task = asyncio.create_task(self._run(), name="realtime subscribe")

    async def on_shutdown(self) -> None:
        """Closes the connections."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._pool.disconnect()

    async def publish(self, data: bytes, channels: Iterable[str]) -> None:
        """Lost when the server is away."""
        await self.publish_each([(channel, data) for channel in channels])

    async def publish_each(self, messages: Sequence[tuple[str, bytes]]) -> None:
        """In one round trip. After a failure nothing is tried for a second: the log has it, and nobody waits."""
        if not messages or time.monotonic() < self._mute_until:
            return
        pipeline: Any = self._redis.pipeline(transaction=False)
        for channel, data in messages:
            pipeline.publish(self._prefix + channel, data)
        try:
            await pipeline.execute()
        except _FAULTS as exc:
            self._mute_until = time.monotonic() + 1
            log.warning("realtime.publish_failed", error=type(exc).__name__)

    async def subscribe(self, channels: Iterable[str]) -> None:
        """At once when connected, else as soon as we are."""
        await self._send("SUBSCRIBE", self._inbox.add(channels))

    async def unsubscribe(self, channels: Iterable[str]) -> None:
        """From now on."""
        await self._send("UNSUBSCRIBE", self._inbox.remove(channels))

    def stream_events(self) -> AsyncGenerator[tuple[str, bytes], None]:
        """What comes, and a resync after each new connection."""
        return self._inbox.stream()

    async def _send(self, command: str, channels: Iterable[str]) -> None:
        names = [self._prefix + channel for channel in channels]
        connection = self._connection
        if not names or connection is None:
            return
        try:
            await connection.send_command(command, *names, check_health=False)
        except _FAULTS:
            await connection.disconnect(nowait=True)  # whoever reads notices, and connects anew

    async def _run(self) -> None:
        failures = 0
        while True:
            connection: Any = self._pool.make_connection()  # type: ignore[no-untyped-call]  # ships no types
            try:
                await self._begin(connection)
                failures = 0
                await self._stay(connection)
            except _FAULTS as exc:
                if not failures:
                    log.warning("realtime.subscription_lost", error=type(exc).__name__)
            finally:
                self._connection = None
                await connection.disconnect(nowait=True)
            await asyncio.sleep(PAUSES[min(failures, len(PAUSES) - 1)])
            failures += 1

    async def _begin(self, connection: Any) -> None:
        await connection.connect()
        topics = self._inbox.topics
        names = (self._prefix + each for each in (_OWN, *topics))
        await connection.send_command("SUBSCRIBE", *names, check_health=False)
        if await connection.read_response(timeout=self._alive_seconds) is None:
            raise ConnectionResetError
        self._connection = connection
        await self._send("SUBSCRIBE", self._inbox.topics - topics)
        self._inbox.resync()
        log.info("realtime.subscribed")

    async def _stay(self, connection: Any) -> None:
        """Until it breaks. A black hole breaks nothing by itself, so the server is asked now and then."""
        pings = asyncio.create_task(self._ping(connection))
        start = len(self._prefix)
        try:
            while True:
                response: Any = await connection.read_response(timeout=2 * self._alive_seconds)
                if response is None:
                    raise ConnectionResetError
                if isinstance(response, list) and len(response) == _MESSAGE_PARTS and response[0] == b"message":
                    self._inbox.put(response[1].decode()[start:], response[2])
        finally:
            pings.cancel()

    async def _ping(self, connection: Any) -> None:
        with suppress(*_FAULTS):
            while True:
                await asyncio.sleep(self._alive_seconds)
                await connection.send_command("PING", check_health=False)
