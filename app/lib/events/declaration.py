"""Events, and the three kinds of listeners."""

import inspect
from collections.abc import Awaitable, Callable
from datetime import datetime
from enum import Enum
from typing import Any, ClassVar, Concatenate, Generic, ParamSpec, TypeVar
from uuid import UUID

import msgspec

from app.lib.db.uow import UnitOfWork
from app.lib.jobs import JobContext, Retry

MAX_KIND_LENGTH = 100
MAX_LISTENER_LENGTH = 80


class Hint(msgspec.Struct, frozen=True, kw_only=True):
    """The base of what is never stored: it may be lost, and only listeners of :func:`in_every_process` get it."""

    kind: ClassVar[str] = ""


class Event(Hint, frozen=True, kw_only=True):
    """The base of what is stored. A subclass holds ids, not secrets; see :func:`event`.

    ``aggregate_id`` and ``aggregate_version`` are those of the entity that it happened to, after it happened; the
    version is 0 where the entity itself did not change.
    """

    aggregate_type: ClassVar[str] = ""

    aggregate_id: UUID
    aggregate_version: int


H = TypeVar("H", bound=Hint)
E = TypeVar("E", bound=Event)
P = ParamSpec("P")


def event(kind: str) -> Callable[[type[H]], type[H]]:
    """Names an :class:`Event` or :class:`Hint`: ``@event("post.published")``. The part before the dot is the type of
    the aggregate. The name is stored, so it stays although the class may be renamed.
    """
    aggregate, dot, _ = kind.rpartition(".")
    if not dot or not aggregate or len(kind) > MAX_KIND_LENGTH:
        raise ValueError(f"the kind of an event is like 'post.published', with at most {MAX_KIND_LENGTH} characters")

    def decorate(declared: type[H]) -> type[H]:
        declared.kind = kind
        if issubclass(declared, Event):
            declared.aggregate_type = aggregate
        return declared

    return decorate


class EventEnvelope(msgspec.Struct, Generic[E], frozen=True):
    """A stored event as a listener gets it after the commit: with its id, which makes it idempotent, and its time."""

    id: UUID
    event: E
    created_at: datetime


class When(Enum):
    """When a listener runs."""

    IN_TRANSACTION = 1
    AFTER_COMMIT = 2
    IN_EVERY_PROCESS = 3


class Listener(msgspec.Struct, frozen=True, kw_only=True):
    """See :func:`in_transaction`, :func:`after_commit` and :func:`in_every_process`, which make it.

    ``services`` are the types of further parameters: long-lived objects of the process.
    """

    when: When
    events: tuple[type[Hint], ...]
    handle: Callable[..., Any]
    services: tuple[type[Any], ...] = ()
    name: str = ""
    retry: Retry = Retry()
    timeout: float = 30.0

    def __post_init__(self) -> None:
        for each in self.events:
            require_declared(each)


def further_parameters(handle: Callable[..., Any], given: int) -> tuple[type[Any], ...]:
    """The types of the parameters after those that are ``given``."""
    parameters = list(inspect.signature(handle, eval_str=True).parameters.values())
    return tuple(each.annotation for each in parameters[given:])


def in_transaction(*events: type[H]) -> Callable[[Callable[Concatenate[H, UnitOfWork, P], Awaitable[None]]], Listener]:
    """``async def handle(event, unit)`` runs in the transaction of the cause: both are committed, or neither."""

    def decorate(handle: Callable[Concatenate[H, UnitOfWork, P], Awaitable[None]]) -> Listener:
        services = further_parameters(handle, 2)
        return Listener(when=When.IN_TRANSACTION, events=events, handle=handle, services=services)

    return decorate


def in_every_process(*events: type[H]) -> Callable[[Callable[Concatenate[H, P], None]], Listener]:
    """``def handle(event)`` is called after the commit: here at once, and in the other processes by a message that
    may be lost, so it serves caches and sockets, which have other ways to find out. It is quick and does not fail.
    """

    def decorate(handle: Callable[Concatenate[H, P], None]) -> Listener:
        services = further_parameters(handle, 1)
        return Listener(when=When.IN_EVERY_PROCESS, events=events, handle=handle, services=services)

    return decorate


def after_commit(
    name: str, event: type[E], *, retry: Retry | None = None, timeout: float = 30.0
) -> Callable[[Callable[[EventEnvelope[E], JobContext], Awaitable[None]]], Listener]:
    """``async def handle(envelope, context)`` runs in a job of its own, which is enqueued in the transaction.

    So each event reaches each listener at least once, in no particular order, and one that fails delays no other. It
    must be idempotent by ``envelope.id``. ``name`` is unique, and stored.
    """
    if not 1 <= len(name) <= MAX_LISTENER_LENGTH or "," in name:
        raise ValueError(f"the name of a listener has 1 to {MAX_LISTENER_LENGTH} characters and no comma")

    def decorate(handle: Callable[[EventEnvelope[E], JobContext], Awaitable[None]]) -> Listener:
        return Listener(
            when=When.AFTER_COMMIT,
            events=(event,),
            handle=handle,
            name=name,
            retry=retry or Retry(),
            timeout=timeout,
        )

    return decorate


def require_declared(event: type[Hint]) -> None:
    """Raises ``TypeError`` for a class without a kind of its own."""
    if "kind" not in vars(event) or not event.kind:
        raise TypeError(f"{event.__name__} is no declared event")
