"""How rooms come, change and close."""

from sqlalchemy.exc import IntegrityError

from app.domain.realtime.dtos import OWNER, RoomCreate, RoomRead, RoomUpdate
from app.domain.realtime.errors import RoomClosed, RoomNameTaken, RoomNotFound, RoomNotVisible, TooManyRooms
from app.domain.realtime.limits import MAX_OWNED
from app.domain.realtime.models import Room
from app.domain.realtime.names import read_reference
from app.domain.realtime.repositories.rooms import MemberRepository, RoomRepository
from app.domain.realtime.rows import Standing
from app.domain.realtime.services.access import require_rule, sees
from app.domain.realtime.services.news import CLOSED, UPDATED, DirectNews, RoomNews
from app.lib import audit
from app.lib.audit import Origin
from app.lib.clock import utc_now
from app.lib.db.base import new_id
from app.lib.db.faults import violated_columns
from app.lib.db.uow import UnitOfWork
from app.lib.db.versions import IfMatch
from app.lib.security.principal import Principal
from app.lib.text import casefold_key
from app.lib.wire.dto import provided


class RoomService:
    """In one unit of work. Every change locks the room first."""

    def __init__(self, unit: UnitOfWork, news: DirectNews, origin: Origin) -> None:
        self._unit = unit
        self._news = news
        self._origin = origin
        self._rooms = RoomRepository(session=unit.session)
        self._members = MemberRepository(unit.session)

    async def add(self, data: RoomCreate, actor: Principal) -> RoomRead:
        """The actor's own. Raises ``RoomNameTaken`` or ``TooManyRooms``."""
        await self._rooms.hold_person(actor.user_id, alone=True)
        if await self._rooms.count_open_of(actor.user_id) >= MAX_OWNED:
            raise TooManyRooms
        room = Room(
            id=new_id(),
            name=data.name,
            title=data.title,
            search_text=_search_text(data.name, data.title),
            visibility=data.visibility,
        )
        try:
            # A savepoint, so that a taken name leaves the transaction usable.
            async with self._unit.session.begin_nested():
                await self._rooms.insert(room)
        except IntegrityError as exc:
            raise (RoomNameTaken() if "name" in violated_columns(exc) else exc) from exc
        await self._members.add(room.id, actor.user_id, OWNER)
        return await self._read(room, actor)

    async def change(self, reference: str, data: RoomUpdate, if_match: IfMatch, actor: Principal) -> RoomRead:
        """Raises ``RoomNotFound``, ``NotYourRoom``, ``PreconditionFailed`` or ``RoomClosed``."""
        room, standing = await lock_visible(self._unit, reference, actor)
        require_rule(standing, actor)
        if_match.check(room.version)
        if room.closed_at is not None:
            raise RoomClosed
        for name, value in provided(data).items():
            setattr(room, name, value)
        room.search_text = _search_text(room.name, room.title)
        if self._unit.session.is_modified(room):
            await self._rooms.flush()
            await self._audit("room.updated", room, standing, fields=sorted(provided(data)))
            await self._news.tell(room, UPDATED)
        return await self._read(room, actor)

    async def close(self, reference: str, if_match: IfMatch, actor: Principal) -> RoomRead:
        """For good: nobody joins or publishes any more. Nothing happens when it is closed already.

        Raises ``RoomNotFound``, ``NotYourRoom`` or ``PreconditionFailed``.
        """
        room, standing = await lock_visible(self._unit, reference, actor)
        require_rule(standing, actor)
        if_match.check(room.version)
        if room.closed_at is None:
            await self._audit("room.closed", room, standing)
            await close_room(room, self._unit, self._news)
        return await self._read(room, actor)

    async def _audit(self, kind: str, room: Room, standing: Standing, **details: object) -> None:
        """What staff does to others' rooms; their own are their own business."""
        if standing.role != OWNER:
            await audit.record(self._unit, kind, self._origin, subject_id=room.id, **details)

    async def _read(self, room: Room, actor: Principal) -> RoomRead:
        return (await self._rooms.read(room.id, actor.user_id)).to_read()


async def lock_visible(unit: UnitOfWork, reference: str, actor: Principal) -> tuple[Room, Standing]:
    """A room by id or name, locked, and what the actor is to it.

    Raises ``RoomNotFound`` for one that is not there, and ``RoomNotVisible`` for one that the actor must not know of.
    """
    key = read_reference(reference)
    room = await RoomRepository(session=unit.session).lock_by(key) if key is not None else None
    if room is None:
        raise RoomNotFound
    standing = await MemberRepository(unit.session).standing(room.id, actor.user_id)
    if not sees(room.visibility, standing, actor):
        raise RoomNotVisible
    return room, standing


async def close_room(room: Room, unit: UnitOfWork, news: RoomNews) -> None:
    """Closes a room that is locked and open, and tells of it."""
    room.closed_at = utc_now()
    await RoomRepository(session=unit.session).flush()
    await news.tell(room, CLOSED)


async def hand_on(room: Room, unit: UnitOfWork, news: RoomNews) -> None:
    """After an owner has left a room that is locked: whoever has been in it for longest owns it now. With nobody left
    it is closed.
    """
    members = MemberRepository(unit.session)
    heir = await members.oldest(room.id)
    if heir is not None:
        await members.make_owner(room.id, heir)
        room.updated_at = utc_now()  # a change of the room, although its own row says the same
        await RoomRepository(session=unit.session).flush()
        await news.tell(room, UPDATED)
    elif room.closed_at is None:
        await close_room(room, unit, news)


def _search_text(name: str, title: str | None) -> str:
    return "\n".join((casefold_key(name), casefold_key(title or "")))
