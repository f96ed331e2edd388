"""Publishing: many events at a time share one transaction, and each publisher hears of its own first."""

from collections.abc import Sequence
from uuid import UUID

from app.lib.db.engine import Database
from app.lib.db.retries import in_transaction
from app.lib.db.uow import UnitOfWork
from app.lib.realtime.batches import GroupCommit
from app.lib.realtime.errors import RealtimeUnavailable
from app.lib.realtime.events import Acknowledge, NewEvent
from app.lib.realtime.log import Appended, Changes, key_of
from app.lib.realtime.news import Scribe


class Publishing:
    """What this process publishes. ``count`` is of events since the start."""

    def __init__(self, database: Database, scribe: Scribe) -> None:
        self.count = 0
        self._database = database
        self._scribe = scribe
        self._unacknowledged: dict[UUID, list[Acknowledge]] = {}
        self._commits: GroupCommit[tuple[NewEvent, UUID], Appended] = GroupCommit(self._commit)

    async def publish(self, event: NewEvent, acknowledge: Acknowledge | None) -> int:
        """See :meth:`.hub.Hub.publish`."""
        key = key_of(event)
        ids: list[int] = []

        def tell(event_id: int) -> None:
            ids.append(event_id)
            if acknowledge is not None:
                acknowledge(event_id)

        self._unacknowledged.setdefault(key, []).append(tell)
        try:
            appended = await self._commits.submit((event, key))
        except RealtimeUnavailable:
            if ids:  # the answer to the commit was lost, and the event itself came round
                return ids[0]
            raise
        else:
            self.acknowledge(key, appended.id)
        finally:
            self._forget(key, tell)
        return appended.id

    def acknowledge(self, key: UUID, event_id: int) -> None:
        """To be called before an event is delivered, however it came: its publisher hears of the id first."""
        for tell in self._unacknowledged.pop(key, ()):
            tell(event_id)

    async def drain(self, seconds: float) -> None:
        """Waits until everything is written, but no longer than that."""
        await self._commits.drain(seconds)

    async def _commit(self, batch: Sequence[tuple[NewEvent, UUID]]) -> list[Appended]:
        changes, keys = Changes(events=[event for event, _ in batch]), [key for _, key in batch]

        async def work(unit: UnitOfWork) -> list[Appended]:
            return (await self._scribe.write(unit, changes, keys)).appended

        appended = await in_transaction(self._database, work)
        self.count += len(appended)
        return appended

    def _forget(self, key: UUID, tell: Acknowledge) -> None:
        waiting = self._unacknowledged.get(key)
        if waiting is not None and tell in waiting:
            waiting.remove(tell)
            if not waiting:
                del self._unacknowledged[key]
