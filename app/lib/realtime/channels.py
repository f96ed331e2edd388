"""Channels as domains declare them: their names, who may subscribe and publish, and what is published on them."""

import re
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

import msgspec

from app.lib.db.reader import Reader
from app.lib.events import Event, EventEnvelope, Hint, event
from app.lib.events.declaration import further_parameters
from app.lib.realtime.errors import ChannelForbidden, ChannelNotFound, InvalidChannel
from app.lib.security.principal import Principal

_PATTERN = re.compile(r"([a-z]{1,32})(?::([A-Za-z0-9_.-]{1,64}))?", re.ASCII)


def split_channel(channel: str) -> tuple[str, str]:
    """The kind and the name of ``room:{id}``; of a kind alone (``posts``) the name is empty. Raises
    ``InvalidChannel``.
    """
    match = _PATTERN.fullmatch(channel)
    if match is None:
        raise InvalidChannel
    return match[1], match[2] or ""


def parse_id(name: str) -> UUID:
    """The id that names a channel such as ``user:{id}``. Raises ``ChannelNotFound`` for any other spelling of it."""
    try:
        found = UUID(name)
    except ValueError:
        raise ChannelNotFound from None
    if str(found) != name:
        raise ChannelNotFound
    return found


class Member(msgspec.Struct, frozen=True):
    """A person who is present, as people are shown everywhere."""

    id: UUID
    username: str | None
    name: str | None
    avatar_url: str | None


class NewEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event that will be published. ``data`` is JSON, already encoded, and is never encoded again.

    With a ``key`` it is published once per channel and sender, however often it is tried, for as long as the event is
    kept. ``sender`` is None for what the service itself publishes. ``target`` is the id of the event that it updates or
    deletes; then ``data`` goes to who listens now, and others find what the target has by then.
    """

    channel: str
    event: str
    data: bytes
    sender: UUID | None = None
    key: str | None = None
    target: int | None = None


@event("channel.advanced")
class ChannelAdvanced(Hint, frozen=True, kw_only=True):
    """A channel has events up to this id. The log has them."""

    channel: str
    id: int


@event("channel.presence_changed")
class PresenceChanged(Hint, frozen=True, kw_only=True):
    """Members of a channel have come or gone. The table of presence has them."""

    channel: str


class Publication(msgspec.Struct, frozen=True, kw_only=True):
    """That an event of a domain is published on a channel, under the name of its kind, by a job after the commit.

    The event's version is added to ``data``. It is published once per ``key``, which is the id of the stored event
    unless declared otherwise; None publishes nothing.
    """

    event: type[Event]
    channel: Callable[[Any], str]
    data: Callable[[Any], dict[str, Any]]
    key: Callable[[EventEnvelope[Any], Reader], Awaitable[str | None]] | None = None


Rule = Callable[..., Awaitable[object]]
"""``async def rule(principal, name, …)``: whether the person may use the channel of that name.

Further parameters are objects of the process, found by their annotated type. It refuses by raising a
:class:`.errors.RealtimeError`; an ``AppError`` counts as ``unavailable`` when its status is 5xx, as ``not_found`` for
404 and else as ``forbidden``.
"""


class ChannelKind(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of channels. Rights are checked at every subscribe and publish, and again when they may have changed."""

    name: str
    may_subscribe: Rule
    may_publish: Rule | None = None
    """None: only the service publishes."""
    is_kept: bool = False
    """Whether events are kept for good, instead of the last 200 and ten minutes."""
    has_presence: bool = False
    """Whether subscribers see each other."""
    is_named: bool = True
    """Whether its channels have names (``room:{id}``), or it is a single channel (``posts``)."""
    reserved_events: frozenset[str] = frozenset()
    """First parts of names of events that only the service publishes, on any channel: ``order`` of ``order.paid``."""
    revoked_user: Callable[[str, bytes], UUID | None] | None = None
    """The user who may have lost the right to listen by an event, from its name and data."""
    last_event: str | None = None
    """The event with which a channel ends: no one hears anything of it after that."""
    publications: tuple[Publication, ...] = ()


class People(Protocol):
    """Who is signed in, and what others see of them.

    ``refresh`` returns the owner of a new access token and when it expires, and raises ``TokenRefused``, also for
    another person's;
    ``principals`` returns those of the sessions that are alive, in one query.
    """

    async def refresh(self, principal: Principal, token: str) -> tuple[Principal, datetime | None]: ...
    async def principals(self, session_ids: Collection[UUID]) -> Mapping[UUID, Principal]: ...
    async def member(self, principal: Principal) -> Member: ...


class ChannelAccess:
    """All kinds of channels of the process. ``find`` returns an object of the process by its type, for the rules."""

    def __init__(self, kinds: Iterable[ChannelKind], people: People, find: Callable[[type[Any]], Any]) -> None:
        """Raises ``ValueError`` when two kinds have one name."""
        self.people = people
        self.kinds: dict[str, ChannelKind] = {}
        for kind in kinds:
            if kind.name in self.kinds:
                raise ValueError(f"channel kind {kind.name} is declared twice")
            self.kinds[kind.name] = kind
        rules = {rule for kind in self.kinds.values() for rule in (kind.may_subscribe, kind.may_publish) if rule}
        self._services = {rule: [find(each) for each in further_parameters(rule, 2)] for rule in rules}
        self._reserved = frozenset(each for kind in self.kinds.values() for each in kind.reserved_events)

    async def check_subscribe(self, principal: Principal, channel: str) -> Member | None:
        """Whether the person may listen. Returns how the others see them; None where there is no presence.

        Raises ``InvalidChannel``, ``ChannelNotFound``, or what the rule of the kind raises.
        """
        kind, name = self._kind_of(channel)
        await kind.may_subscribe(principal, name, *self._services[kind.may_subscribe])
        return await self.people.member(principal) if kind.has_presence else None

    async def check_publish(self, principal: Principal, channel: str, event_name: str) -> None:
        """Whether the person may publish. Raises as :meth:`check_subscribe`, and ``ChannelForbidden``."""
        kind, name = self._kind_of(channel)
        rule = kind.may_publish or kind.may_subscribe
        if kind.may_publish is not None and self.is_reserved(event_name):
            raise ChannelForbidden("Only the service publishes events with such a name.")
        await rule(principal, name, *self._services[rule])
        if kind.may_publish is None:
            raise ChannelForbidden("Only the service publishes on this channel.")

    def is_reserved(self, event_name: str) -> bool:
        """Whether only the service publishes events of this name."""
        return event_name.partition(".")[0] in self._reserved

    def _kind_of(self, channel: str) -> tuple[ChannelKind, str]:
        kind_name, name = split_channel(channel)
        kind = self.kinds.get(kind_name)
        if kind is None or kind.is_named != bool(name):
            raise ChannelNotFound
        return kind, name
