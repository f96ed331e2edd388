"""What a domain gives to the core: who may do what on which channel, and who is still signed in."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Protocol
from uuid import UUID

import msgspec

from app.lib.realtime.frames import Member
from app.lib.realtime.names import ChannelName
from app.lib.security.principal import Principal


class Grant(msgspec.Struct, frozen=True):
    """Leave to listen. ``member`` is how the others see the person; None where the channel has no presence."""

    member: Member | None = None


class Renewed(msgspec.Struct, frozen=True):
    """Who a token belongs to, and when it expires."""

    principal: Principal
    expires_at: datetime | None


class Gate(Protocol):
    """Says no by raising a :class:`.errors.RealtimeError`; any ``AppError`` counts as ``unavailable`` when its status
    is 5xx, and as ``forbidden`` or ``not_found`` otherwise. Asked by many sockets at once.
    """

    async def subscribe(self, principal: Principal, channel: ChannelName) -> Grant:
        """Whether the person may listen. Asked again when rights change; an error then ends the subscription."""
        ...

    async def publish(self, principal: Principal, channel: ChannelName, event: str) -> None:
        """Whether the person may publish. Asked for every event."""
        ...

    async def refresh(self, principal: Principal, token: str) -> Renewed:
        """Who a new access token belongs to. Raises ``TokenRefused``, also for another person's."""
        ...

    async def principals(self, session_ids: Collection[UUID]) -> Mapping[UUID, Principal]:
        """Those of the sessions that are alive, in one query. Who is missing is to sign in again."""
        ...
