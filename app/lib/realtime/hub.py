"""The channels of this process: what is published goes to the log, and from the log to whoever listens here.

A hint (another worker's word that a channel is now at some id) is only an accelerator; the log in the database is the
truth. A hint with the next id and the body inline is delivered at once. In any other case (a gap, a body too large,
a lost hint that the sweep finds, a fan-out that comes back) the log is read after what was delivered last. So nothing
is lost, doubled or reordered, whatever the fan-out does.
"""

from collections.abc import Callable
from typing import Protocol
from uuid import UUID

import msgspec

from app.lib.db.uow import UnitOfWork
from app.lib.realtime.events import Acknowledge, Delivery, NewEvent
from app.lib.realtime.frames import Member, Presence


class Greeting(msgspec.Struct, frozen=True, kw_only=True):
    """Where a subscription begins; see :class:`.frames.Subscribed`."""

    last_id: int
    recovered: bool
    missed: int | None
    presence: list[Member]


class Subscriber(Protocol):
    """Somebody who listens. Its methods are called in the event loop, do not wait and do not fail."""

    id: UUID
    user_id: UUID

    def deliver(self, delivery: Delivery) -> None:
        """An event of a channel, in order."""
        ...

    def show_presence(self, frame: Presence, text: str) -> None:
        """Others came or went; ``text`` is the frame encoded."""
        ...

    async def has_room(self) -> None:
        """Returns once more can be delivered without being too much; for what is replayed, which may be large."""
        ...

    async def access_changed(self, channel: str) -> None:
        """Rights have changed: ask the gate again, and detach when it says no."""
        ...

    def ended(self, channel: str, reason: str) -> None:
        """The subscription is over although nobody asked for it."""
        ...


class Hub:
    """The channels of this process."""

    async def publish(self, event: NewEvent, *, acknowledge: Acknowledge | None = None) -> int:
        """Stores an event and returns its id; everybody gets it. Many at a time share one transaction.

        ``acknowledge`` is called with the id, once, before any subscriber of this process gets the event. Raises
        ``RealtimeUnavailable`` when the database is away; whether it was stored may then be unknown, so repeat it
        with its key.
        """
        raise NotImplementedError

    async def publish_in(self, unit: UnitOfWork, event: NewEvent) -> int:
        """The same in the caller's transaction: everybody gets it after the commit, and nobody without one.

        Locks the channel until then, so do it last.
        """
        raise NotImplementedError

    async def recheck(self, unit: UnitOfWork, channel: str, user_id: UUID | None = None) -> None:
        """Tells all workers, after the commit, that who may listen to a channel has changed.

        Only for that person when one is named. Their sockets ask the gate again (within a second even if every
        message between workers is lost). Locks the channel until the commit, so do it last.
        """
        raise NotImplementedError

    async def attach(
        self,
        subscriber: Subscriber,
        channel: str,
        greet: Callable[[Greeting], None],
        *,
        since: int | None = None,
        member: Member | None = None,
    ) -> None:
        """Subscribes. ``greet`` is called once, at the moment from which on nothing will be missing; then what was
        missed since ``since`` is replayed, as fast as the subscriber has room; returns when it is up to date.

        ``member`` makes the person present until :meth:`detach`. Attaching again begins anew at ``since``.
        """
        raise NotImplementedError

    async def detach(self, subscriber: Subscriber, channel: str) -> bool:
        """Ends a subscription, and the presence that came with it. Whether there was one."""
        raise NotImplementedError
