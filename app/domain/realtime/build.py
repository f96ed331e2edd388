from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager

from app.core import VERSION, Core
from app.domain.accounts.services.queries import AccountQueries
from app.domain.auth.authenticator import SessionAuthenticator
from app.domain.realtime.controllers.document import document_handler
from app.domain.realtime.services.people import SignedInPeople
from app.domain.realtime.services.tickets import TicketDesk
from app.domain.realtime.settings import RealtimeSettings
from app.lib.realtime.channels import ChannelAccess
from app.lib.realtime.options import RealtimeOptions
from app.lib.realtime.service import Realtime, channel_listeners
from app.lib.security.principal import TicketTaker
from app.lib.services import Services


def build(core: Core) -> None:
    """The channels of the process, on connections of their own on PostgreSQL, so that they wait for no request."""
    settings = core.services.get(RealtimeSettings)
    database = core.database.with_own_pool(2, "realtime")
    authenticator = core.services.get(SessionAuthenticator)
    kinds = [kind for domain in core.domains for kind in domain.channel_kinds]
    access = ChannelAccess(
        kinds,
        SignedInPeople(AccountQueries(database.reader, core.cursors), authenticator),
        Services(database.reader, core.cursors, settings).build,
    )
    options = RealtimeOptions(
        max_message_bytes=settings.realtime_max_message_bytes,
        max_events_per_day=settings.realtime_max_messages_per_day,
        keep_days=settings.realtime_keep_days,
    )
    realtime = Realtime(database, core.events, access, options)

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
    core.draining.on_end(realtime.say_goodbye)
    core.metrics.add(realtime)
    core.services.add_all(realtime, realtime.hub, realtime.writer)
    core.services.add(TicketDesk(core.database, authenticator), TicketTaker)
    core.events.listen(*channel_listeners(kinds))
    if core.settings.docs == "public":
        core.handlers.append(document_handler(core.settings.address, core.settings.product_name, VERSION))
