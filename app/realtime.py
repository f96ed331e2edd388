"""Channels as the settings want them: how workers tell each other of news, and on which connections."""

from collections.abc import Awaitable, Callable

from app.config import Settings
from app.domain.accounts.repositories import AccountReads
from app.domain.auth.authenticator import SessionAuthenticator
from app.domain.orders.repositories.reads import OrderReads
from app.domain.realtime.repositories.reads import RoomReads
from app.domain.realtime.services.gate import KEPT_KINDS, ChannelGate
from app.domain.realtime.services.lobby import farewell
from app.lib.db.engine import Database
from app.lib.pagination.cursor import CursorCodec
from app.lib.realtime.fanout import Fanout, MemoryFanout, PostgreSQLFanout, RedisFanout, SilentFanout
from app.lib.realtime.service import Realtime, RealtimeOptions

_SWEEP, _QUICK_SWEEP = 1.0, 0.1
"""Seconds that a lost hint may hold up an event; and how often to look where there are no hints at all."""


def fanout_of(settings: Settings) -> Fanout:
    """Redis where there is one, else PostgreSQL's own notifications, else memory for the one process that there is."""
    if settings.redis_url is not None:
        return RedisFanout(settings.redis_url.reveal())
    if settings.database.is_sqlite:
        return MemoryFanout() if settings.workers == 1 else SilentFanout()
    if settings.database_pooler and settings.database_direct_url is None:
        return SilentFanout()  # LISTEN does not work through a pooler
    return PostgreSQLFanout(settings.migration_database)


class Channels:
    """The channels of a process, with connections of their own on PostgreSQL, so that they wait for no request."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        authenticator: SessionAuthenticator,
        cursors: CursorCodec,
        draining: Callable[[], Awaitable[None]],
    ) -> None:
        self._database = database.with_own_pool(2)
        self._shared = self._database is database
        self.fanout = fanout_of(settings)
        reader = self._database.reader
        gate = ChannelGate(
            RoomReads(reader, cursors), OrderReads(reader, cursors), AccountReads(reader, cursors), authenticator
        )
        sweep_seconds = _QUICK_SWEEP if isinstance(self.fanout, SilentFanout) else _SWEEP
        self.realtime = Realtime(
            self._database,
            self.fanout,
            gate,
            draining=draining,
            farewell=farewell,
            options=RealtimeOptions(kept_kinds=KEPT_KINDS, sweep_seconds=sweep_seconds),
        )

    async def start(self) -> None:
        """Needs neither the database nor the fan-out yet."""
        if not self._shared:
            await self._database.start()
        await self.realtime.start()

    async def close(self) -> None:
        """Before the service's database is closed."""
        try:
            await self.realtime.close()
        finally:
            if not self._shared:
                await self._database.close()
