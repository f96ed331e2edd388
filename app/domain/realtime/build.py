"""Channels as the settings want them: how workers tell each other of news, and on which connections."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager

from app.config import Settings
from app.core import Core
from app.domain.accounts.repositories import AccountReads
from app.domain.auth.authenticator import SessionAuthenticator
from app.domain.orders.repositories.reads import OrderReads
from app.domain.realtime.controllers.document import get_asyncapi
from app.domain.realtime.repositories.reads import RoomReads
from app.domain.realtime.services.gate import KEPT_KINDS, ChannelGate
from app.domain.realtime.services.lobby import farewell
from app.domain.realtime.services.tickets import TicketDesk
from app.lib.realtime.fanout import Fanout, MemoryFanout, PostgreSQLFanout, RedisFanout, SilentFanout
from app.lib.realtime.metrics import RealtimeMetrics
from app.lib.realtime.service import Realtime, RealtimeOptions
from app.lib.security.principal import TicketTaker

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


def build(core: Core) -> None:
    """The channels of the process, on connections of their own on PostgreSQL, so that they wait for no request."""
    database = core.database.with_own_pool(2)
    reader, cursors, authenticator = database.reader, core.cursors, core.services.get(SessionAuthenticator)
    fanout = fanout_of(core.settings)
    gate = ChannelGate(
        RoomReads(reader, cursors), OrderReads(reader, cursors), AccountReads(reader, cursors), authenticator
    )
    realtime = Realtime(
        database,
        fanout,
        gate,
        draining=core.draining.wait,
        farewell=farewell,
        options=RealtimeOptions(
            kept_kinds=KEPT_KINDS,
            sweep_seconds=_QUICK_SWEEP if isinstance(fanout, SilentFanout) else _SWEEP,
        ),
    )

    @asynccontextmanager
    async def running() -> AsyncGenerator[None]:
        async with AsyncExitStack() as stack:
            if database is not core.database:
                stack.push_async_callback(database.close)
                await database.start()
            stack.push_async_callback(realtime.close)
            await realtime.start()
            yield

    core.lifespans.append(running)
    core.draining.before_end(realtime.say_goodbye)
    core.metrics.add(RealtimeMetrics(realtime))
    core.services.add(realtime)
    core.services.add(realtime.hub)
    if core.settings.docs == "public":
        core.handlers.append(get_asyncapi)
    core.services.add(TicketDesk(core.database, authenticator), TicketTaker)
