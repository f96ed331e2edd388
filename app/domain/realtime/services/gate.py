"""Which channels there are, and who may do what on them."""

from collections.abc import Collection, Mapping
from uuid import UUID

from app.domain.accounts.repositories import AccountReads
from app.domain.auth.authenticator import SessionAuthenticator
from app.domain.orders.repositories.reads import OrderReads
from app.domain.orders.services.access import require_readable
from app.domain.realtime.names import looks_like_id, looks_like_room
from app.domain.realtime.repositories.reads import RoomReads
from app.domain.realtime.rows import SeenRoom
from app.domain.realtime.services.access import sees
from app.lib.errors import InvalidToken
from app.lib.realtime.errors import ChannelClosed, ChannelForbidden, ChannelNotFound, TokenRefused
from app.lib.realtime.frames import Member
from app.lib.realtime.gate import Grant, Renewed
from app.lib.realtime.names import ChannelName
from app.lib.security.principal import Principal

KEPT_KINDS = frozenset({"room"})
"""Kinds of channels whose events are kept for good."""

SERVICE_EVENTS = frozenset({"order", "payment", "post", "product", "room", "user"})
"""First parts of the names of events that only the service publishes: ``order.paid``, ``room.closed`` and so on."""


class ChannelGate:
    """- ``room:{name}``: its members publish and listen, and see who is there;
    - ``user:{id}``: that person listens;
    - ``orders:{id}``: whoever sees the order listens;
    - ``posts``: everybody who is signed in listens;
    - ``presence:{name}``: everybody who is signed in sees who else is there.
    """

    def __init__(
        self, rooms: RoomReads, orders: OrderReads, people: AccountReads, authenticator: SessionAuthenticator
    ) -> None:
        self._rooms = rooms
        self._orders = orders
        self._people = people
        self._authenticator = authenticator

    async def subscribe(self, principal: Principal, channel: ChannelName) -> Grant:
        """Raises ``ChannelNotFound`` or ``ChannelForbidden``."""
        match channel.kind, channel.name:
            case "room", name if name:
                await self._require_member(principal, name)
                return Grant(await self._member(principal))
            case "presence", name if name:
                return Grant(await self._member(principal))
            case "orders", name if looks_like_id(name):
                require_readable(await self._orders.get_order(UUID(name)), principal)
            case "user", name if looks_like_id(name):
                _require_self(principal, name)
            case "posts", "":
                pass
            case _:
                raise ChannelNotFound
        return Grant()

    async def publish(self, principal: Principal, channel: ChannelName, event: str) -> None:
        """Raises ``ChannelNotFound``, ``ChannelForbidden`` or ``ChannelClosed``."""
        if channel.kind != "room" or not channel.name:
            await self.subscribe(principal, channel)
            raise ChannelForbidden("Nobody publishes here but the service.")
        if event.partition(".")[0] in SERVICE_EVENTS:
            raise ChannelForbidden("Events with such a name are told by the service alone.")
        room = await self._require_member(principal, channel.name)
        if room.closed_at is not None:
            raise ChannelClosed

    async def refresh(self, principal: Principal, token: str) -> Renewed:
        """Raises ``TokenRefused``."""
        try:
            renewed = await self._authenticator.authenticate(token)
            expires_at = self._authenticator.expiry_of(token)
        except InvalidToken:
            raise TokenRefused from None
        if renewed.user_id != principal.user_id:
            raise TokenRefused
        return Renewed(renewed, expires_at)

    async def principals(self, session_ids: Collection[UUID]) -> Mapping[UUID, Principal]:
        """Those that are alive."""
        return await self._authenticator.of_sessions(session_ids)

    async def _require_member(self, principal: Principal, name: str) -> SeenRoom:
        room = await self._rooms.room(name, principal.user_id) if looks_like_room(name) else None
        if room is None or not sees(room.visibility, room.standing, principal):
            raise ChannelNotFound
        if room.role is None:
            raise ChannelForbidden("This is for members of the room.")
        return room

    async def _member(self, principal: Principal) -> Member:
        """As others see them: their name, else what they sign in with, never their address."""
        person = await self._people.find_visible_person(principal.user_id)
        return Member(principal.user_id, ((person.public_name or person.username) if person else None) or "")


def _require_self(principal: Principal, user_id: str) -> None:
    if UUID(user_id) != principal.user_id:
        raise ChannelForbidden("This is for somebody else alone.")
