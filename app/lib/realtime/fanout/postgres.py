"""Over LISTEN and NOTIFY: one listening connection for each process, however many channels there are.

Every process hears every message and drops what nobody there listens to, because PostgreSQL wakes all listeners of a
database anyway, and looks through their lists of channels one by one.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import suppress
from typing import Any

import asyncpg
import structlog
from sqlalchemy import JSON, Text, bindparam, cast, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.lib.db.statements import json_list
from app.lib.db.url import DatabaseURL
from app.lib.realtime.fanout.base import PAUSES, Fanout, Inbox

log = structlog.stdlib.get_logger(__name__)

ALIVE_SECONDS = 5.0
"""How often the connection is tried, and how long an answer may take."""

_FAULTS = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
_payloads = func.json_array_elements_text(cast(bindparam("payloads", type_=Text()), JSON)).column_valued("payload")
_NOTIFY = select(func.count(func.pg_notify(bindparam("topic", type_=Text()), _payloads)))
_Connection = Any  # asyncpg's own class is generic in the stubs and not at run time


class PostgreSQLFanout(Fanout):
    """``url`` must lead to the server itself: LISTEN does not work through a pooler."""

    # NOTIFY takes less than 8000 bytes, among them the channel's name.
    max_message = 7_800

    def __init__(self, url: DatabaseURL, *, topic: str = "realtime", alive_seconds: float = ALIVE_SECONDS) -> None:
        self._arguments = url.connect_arguments
        self._topic = topic
        self._alive_seconds = alive_seconds
        self._inbox = Inbox()
        self._connection: _Connection | None = None
        self._lock = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    @property
    def is_connected(self) -> bool:
        """Whether we are listening, as far as is known."""
        return self._connection is not None and not self._connection.is_closed()

    async def on_startup(self) -> None:
        """Starts to connect; does not wait for it."""
        self._task = asyncio.create_task(self._run(), name="realtime listen")

    async def on_shutdown(self) -> None:
        """Closes the connection."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def publish(self, data: bytes, channels: Iterable[str]) -> None:
        """Outside of any transaction, on the listening connection. Lost when that is away."""
        connection = self._connection
        if connection is None:
            return
        with suppress(*_FAULTS):
            async with self._lock:
                for channel in channels:
                    await connection.execute("SELECT pg_notify($1, $2)", self._topic, _payload(channel, data))

    async def publish_in(self, session: AsyncSession, messages: Sequence[tuple[str, bytes]]) -> bool:
        """With the commit: nobody hears of what was not committed, and nobody has to be told afterwards."""
        if messages:
            payloads = json_list(_payload(*each) for each in messages)
            await session.execute(_NOTIFY, {"topic": self._topic, "payloads": payloads})
        return True

    async def subscribe(self, channels: Iterable[str]) -> None:
        """From now on, without a word to the server."""
        self._inbox.add(channels)

    async def unsubscribe(self, channels: Iterable[str]) -> None:
        """From now on."""
        self._inbox.remove(channels)

    def stream_events(self) -> AsyncGenerator[tuple[str, bytes], None]:
        """What comes, and a resync after each new connection."""
        return self._inbox.stream()

    async def _run(self) -> None:
        failures = 0
        while True:
            connection: _Connection | None = None
            try:
                connection = await self._connect()
                failures = 0
                await self._stay(connection)
            except _FAULTS as exc:
                if not failures:
                    log.warning("realtime.listen_lost", error=type(exc).__name__)
            finally:
                self._connection = None
                if connection is not None:
                    connection.terminate()
            await asyncio.sleep(PAUSES[min(failures, len(PAUSES) - 1)])
            failures += 1

    async def _connect(self) -> _Connection:
        connection = await asyncpg.connect(
            **self._arguments,
            timeout=self._alive_seconds,
            command_timeout=self._alive_seconds,
            server_settings={"application_name": "lodestar realtime"},
            statement_cache_size=0,
        )
        try:
            await connection.add_listener(self._topic, self._on_notification)
        except BaseException:
            connection.terminate()
            raise
        self._connection = connection
        self._inbox.resync()
        log.info("realtime.listening")
        return connection

    async def _stay(self, connection: _Connection) -> None:
        """Until it breaks. A black hole breaks nothing by itself, so the server is asked now and then."""
        lost = asyncio.Event()
        connection.add_termination_listener(lambda _connection: lost.set())
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._alive_seconds):
                    await lost.wait()
            if lost.is_set():
                raise ConnectionResetError
            async with self._lock:
                await connection.execute("SELECT 1")

    def _on_notification(self, _connection: object, _pid: int, _topic: str, payload: object) -> None:
        channel, _, data = str(payload).partition("\n")
        self._inbox.put(channel, data.encode())


def _payload(channel: str, data: bytes) -> str:
    return f"{channel}\n{data.decode()}"
