"""Over LISTEN and NOTIFY, on one connection for each process."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import asyncpg

from app.lib.db.url import DatabaseURL
from app.lib.events.fanout.base import ALIVE_SECONDS, ConnectedFanout

_NOTIFY = "SELECT pg_notify($1, payload) FROM unnest($2::text[]) AS payload"
_Connection = Any  # asyncpg's own class is generic in the stubs and not at run time


class PostgreSQLFanout(ConnectedFanout):
    """``url`` must lead to the server itself: LISTEN does not work through a pooler."""

    max_message = 7_800  # NOTIFY takes less than 8000 bytes
    faults = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)

    def __init__(self, url: DatabaseURL, *, topic: str = "hints", alive_seconds: float = ALIVE_SECONDS) -> None:
        super().__init__(alive_seconds)
        self._arguments = url.connect_arguments
        self._topic = topic
        self._connection: _Connection | None = None
        self._lock = asyncio.Lock()

    async def send(self, messages: Sequence[bytes]) -> None:
        """On the listening connection, outside of any transaction. Lost when that is away."""
        connection = self._connection
        if connection is None:
            return
        with suppress(*self.faults):
            async with self._lock:
                await connection.execute(_NOTIFY, self._topic, [each.decode() for each in messages])

    async def listen(self) -> None:
        """Until it breaks. A black hole breaks nothing by itself, so the server is asked now and then."""
        connection: _Connection = await asyncpg.connect(
            **self._arguments,
            timeout=self._alive_seconds,
            command_timeout=self._alive_seconds,
            server_settings={"application_name": "events"},
            statement_cache_size=0,
        )
        lost = asyncio.Event()
        connection.add_termination_listener(lambda _connection: lost.set())
        try:
            await connection.add_listener(self._topic, self._on_notification)
            self._connection = connection
            self.connected()
            while not lost.is_set():
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._alive_seconds):
                        await lost.wait()
                async with self._lock:
                    await connection.execute("SELECT 1")
        finally:
            self._connection = None
            connection.terminate()

    def _on_notification(self, _connection: object, _pid: int, _topic: str, payload: object) -> None:
        self._receive(str(payload).encode())
