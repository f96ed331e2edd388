"""What an event is, and who listens to it."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, ClassVar, Generic, TypeVar
from uuid import UUID

import msgspec

from app.lib.jobs import JobContext, Retry

MAX_KIND_LENGTH = 100
MAX_LISTENER_LENGTH = 80


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """The base of events. A subclass says what happened and holds ids, not secrets; see :func:`event`.

    ``aggregate_id`` and ``aggregate_version`` are those of the thing that it happened to, after it happened.
    """

    kind: ClassVar[str] = ""
    aggregate_type: ClassVar[str] = ""

    aggregate_id: UUID
    aggregate_version: int


E = TypeVar("E", bound=Event)


def event(kind: str) -> Callable[[type[E]], type[E]]:
    """Names an :class:`Event`: ``@event("post.published")``. The part before the dot is the type of the aggregate.

    The name is kept in the database, so it stays although the class may be renamed.
    """
    aggregate, dot, _ = kind.rpartition(".")
    if not dot or not aggregate or len(kind) > MAX_KIND_LENGTH:
        raise ValueError(f"the kind of an event is like 'post.published', with at most {MAX_KIND_LENGTH} characters")

    def decorate(declared: type[E]) -> type[E]:
        declared.kind = kind
        declared.aggregate_type = aggregate
        return declared

    return decorate


class Happened(msgspec.Struct, Generic[E], frozen=True):
    """An event as a listener gets it: with its id, by which a listener knows what it has done, and its time."""

    id: UUID
    event: E
    created_at: datetime


Handle = Callable[[Happened[E], JobContext], Awaitable[None]]


class Subscriber(Generic[E]):
    """A declared listener; see :func:`subscriber`."""

    __slots__ = ("event", "handle", "name", "retry", "timeout")

    def __init__(self, name: str, event: type[E], handle: Handle[E], *, retry: Retry, timeout: float) -> None:
        if not 1 <= len(name) <= MAX_LISTENER_LENGTH:
            raise ValueError(f"the name of a listener has 1 to {MAX_LISTENER_LENGTH} characters")
        if not event.kind:
            raise TypeError(f"{event.__name__} is no declared event")
        self.name = name
        self.event = event
        self.handle = handle
        self.retry = retry
        self.timeout = timeout

    def __repr__(self) -> str:
        return f"Subscriber({self.name!r})"


def subscriber(
    name: str, event: type[E], *, retry: Retry | None = None, timeout: float = 30.0
) -> Callable[[Handle[E]], Subscriber[E]]:
    """Makes a :class:`Subscriber` of the decorated ``async def handle(happened, context)``.

    Each event comes to each listener at least once, in no particular order, by a job of its own that retries as jobs
    do: a listener that fails holds nobody up. It must be idempotent by ``happened.id``; where only the newest state
    matters, :func:`~app.lib.outbox.order.is_news` drops what is older. ``name`` is unique, and kept in the database.
    """

    def decorate(handle: Handle[E]) -> Subscriber[E]:
        return Subscriber(name, event, handle, retry=retry or Retry(), timeout=timeout)

    return decorate


AnySubscriber = Subscriber[Any]
