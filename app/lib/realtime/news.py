"""What a transaction has changed on channels, told here and elsewhere once it is committed."""

import asyncio
from collections.abc import Callable, Sequence
from uuid import UUID

import msgspec

from app.lib.db.uow import UnitOfWork
from app.lib.realtime.events import Delivery
from app.lib.realtime.fanout import Fanout
from app.lib.realtime.hints import AccessHint, EventHint, Hint, PresenceHint, encode_hints
from app.lib.realtime.log import Changes, EventLog, Written

_MAX_UNSENT = 10_000


class News(msgspec.Struct, frozen=True):
    """What was committed by this process. ``unsent`` is what other processes have not been told yet."""

    deliveries: Sequence[Delivery]
    hints: Sequence[Hint]
    unsent: Sequence[tuple[str, bytes]]
    is_ours: bool = False
    """Whether the changes of presence are those of our own sockets."""


class Scribe:
    """Writes to the log in somebody's transaction and sees to it that the news spreads, if that is committed."""

    def __init__(self, log: EventLog, fanout: Fanout) -> None:
        self._log = log
        self._fanout = fanout
        self.on_committed: Callable[[News], None] = self.spread
        self._unsent: list[tuple[str, bytes]] = []
        self._sender: asyncio.Task[None] | None = None

    async def write(
        self,
        unit: UnitOfWork,
        changes: Changes,
        keys: Sequence[UUID] | None = None,
        user_id: UUID | None = None,
        *,
        is_ours: bool = False,
    ) -> Written:
        """See :meth:`EventLog.write`. ``user_id``: whose access has changed, if it is one person's; ``is_ours``: see
        :class:`News`.
        """
        written = await self._log.write(unit.session, changes, keys)
        stored = [each.stored for each in written.appended if each.stored is not None]
        deliveries = [each.delivery for each in stored]
        limit = self._fanout.max_message
        hints: list[Hint] = [EventHint.of(delivery, limit) for delivery in deliveries]
        hints += [PresenceHint(name, written.states[name].presence_version) for name in sorted(changes.presence)]
        hints += [AccessHint(name, written.states[name].access_version, user_id) for name in sorted(changes.access)]
        messages = encode_hints(hints, limit) if limit else []
        is_sent = await self._fanout.publish_in(unit.session, messages)
        news = News(deliveries, hints, () if is_sent else messages, is_ours)
        unit.after_commit(lambda: self.on_committed(news))
        return written

    def spread(self, news: News) -> None:
        """Tells other processes what they have not been told. Does not wait; too much of it is dropped."""
        if not news.unsent or len(self._unsent) > _MAX_UNSENT:
            return
        self._unsent += news.unsent
        if self._sender is None or self._sender.done():
            self._sender = asyncio.create_task(self._send())

    async def drain(self, seconds: float) -> None:
        """Waits until everything is told, but no longer than that."""
        if self._sender is not None:
            await asyncio.wait({self._sender}, timeout=seconds)

    async def _send(self) -> None:
        while self._unsent:
            messages, self._unsent = self._unsent, []
            await self._fanout.publish_each(messages)
