"""Events inside a transaction: a domain tells what happened, and domains above it do their part at once.

This is how the lower domain need not know the upper one: accounts says ``UserDeactivated``, auth ends the
sessions, and both are committed together or not at all. What must happen after the commit is not for here.
"""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar

import msgspec

from app.lib.db.uow import UnitOfWork

E = TypeVar("E", bound=msgspec.Struct)

Handler = Callable[[Any, UnitOfWork], Awaitable[None]]


class Listener(msgspec.Struct, frozen=True):
    """An event type and the coroutine function that does its part: ``async def f(event, unit_of_work)``."""

    event: type[msgspec.Struct]
    handle: Handler


def listens_to(event: type[E]) -> Callable[[Callable[[E, UnitOfWork], Awaitable[None]]], Listener]:
    """Makes a :class:`Listener` of the decorated coroutine function."""

    def decorate(handle: Callable[[E, UnitOfWork], Awaitable[None]]) -> Listener:
        return Listener(event, handle)

    return decorate


class Events:
    """All listeners of the app."""

    def __init__(self, listeners: Iterable[Listener] = ()) -> None:
        self._handlers: dict[type[msgspec.Struct], list[Handler]] = defaultdict(list)
        for listener in listeners:
            self._handlers[listener.event].append(listener.handle)

    async def publish(self, event: msgspec.Struct, unit: UnitOfWork) -> None:
        """Runs the listeners one after another in the unit's transaction; what one raises undoes all of it."""
        for handle in self._handlers.get(type(event), ()):
            await handle(event, unit)
