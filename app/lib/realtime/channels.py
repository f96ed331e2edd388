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

MAX_CHANNEL_LENGTH = 97
_PATTERN = re.compile(r"([a-z]{1,32})(?::([A-Za-z0-9_.-]{1,64}))?", re.ASCII)


class ChannelName(msgspec.Struct, frozen=True):
    """A kind alone (``posts``), or a kind and a name (``room:{id}``)."""

    kind: str
    name: str = ""

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}" if self.name else self.kind


def parse_channel(text: str) -> ChannelName:
    """The parts of ``kind`` or ``kind:name``. Raises ``InvalidChannel``."""
    match = _PATTERN.fullmatch(text)
    if match is None:
        raise InvalidChannel
    return ChannelName(match[1], match[2] or "")


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
    """A person who is present."""

    id: UUID
    name: str


class NewEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event that will be published. ``data`` is JSON, already encoded, and is never encoded again.

    With a ``key`` it is published once per channel and sender, however often it is tried, for as long as the event is
    kept. ``sender`` is None for what the service itself publishes.
    """

    channel: str
    event: str
    data: bytes
    sender: UUID | None = None
    key: str | None = None


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


Rule = Callable[..., Awaitable[None]]
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
    publications: tuple[Publication, ...] = ()


class Renewed(msgspec.Struct, frozen=True):
    """The owner of a token, and when it expires."""

    principal: Principal
    expires_at: datetime | None


class People(Protocol):
    """Who is signed in, and what others see of them.

    ``refresh`` returns the owner of a new access token and raises ``TokenRefused``, also for another person's;
    ``principals`` returns those of the sessions that are alive, in one query.
    """

    async def refresh(self, principal: Principal, token: str) -> Renewed: ...
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

    async def check_subscribe(self, principal: Principal, channel: ChannelName) -> Member | None:
        """Whether the person may listen. Returns how the others see them; None where there is no presence.

        Raises ``ChannelNotFound``, or what the rule of the kind raises.
        """
        kind = self._kind_of(channel)
        await self._apply(kind.may_subscribe, principal, channel)
        return await self.people.member(principal) if kind.has_presence else None

    async def check_publish(self, principal: Principal, channel: ChannelName, event_name: str) -> None:
        """Whether the person may publish. Raises ``ChannelNotFound``, ``ChannelForbidden``, or what the rule raises."""
        kind = self._kind_of(channel)
        if kind.may_publish is None:
            await self._apply(kind.may_subscribe, principal, channel)
            raise ChannelForbidden("Only the service publishes on this channel.")
        if event_name.partition(".")[0] in self._reserved:
            raise ChannelForbidden("Only the service publishes events with such a name.")
        await self._apply(kind.may_publish, principal, channel)

    def _kind_of(self, channel: ChannelName) -> ChannelKind:
        kind = self.kinds.get(channel.kind)
        if kind is None or kind.is_named != bool(channel.name):
            raise ChannelNotFound
        return kind

    async def _apply(self, rule: Rule, principal: Principal, channel: ChannelName) -> None:
        await rule(principal, channel.name, *self._services[rule])
