"""What members say in rooms over REST, and how it is edited and deleted."""

from typing import Any, cast
from uuid import UUID

import msgspec
from msgspec import UNSET

from app.domain.accounts.repositories.people import people_by_id
from app.domain.realtime.dtos import MessageCreate, MessageRead, MessageUpdate
from app.domain.realtime.errors import MessageNotFound, NotAMember, NotYourMessage, RoomClosed, TooManyMessages
from app.domain.realtime.models import Room
from app.domain.realtime.names import MESSAGE_DELETED, MESSAGE_UPDATED, room_channel
from app.domain.realtime.permissions import ROOMS_WRITE
from app.domain.realtime.repositories import DELETE_MESSAGE, MESSAGE, UPDATE_MESSAGE
from app.domain.realtime.services.queries import read_message
from app.domain.realtime.services.rooms import RoomService
from app.lib.db.idempotency import forget_response, replace_body
from app.lib.db.uow import UnitOfWork
from app.lib.db.versions import IfMatch
from app.lib.errors import FieldCode, FieldError, ValidationFailed
from app.lib.realtime.channels import NewEvent
from app.lib.realtime.errors import InvalidData, QuotaReached
from app.lib.realtime.frames import MAX_ID, check_data
from app.lib.realtime.log import StoredEvent
from app.lib.realtime.service import Realtime
from app.lib.security.principal import Principal


class MessageService:
    """An update and a deletion are events of the room's channel, too, so that clients that come back learn of them."""

    def __init__(self, unit: UnitOfWork, rooms: RoomService, realtime: Realtime) -> None:
        self.unit = unit
        self._rooms = rooms
        self._realtime = realtime

    async def create(self, room_id: UUID, data: MessageCreate, actor: Principal) -> MessageRead:
        """Raises ``RoomNotFound``, ``NotAMember``, ``RoomClosed``, ``ValidationFailed`` or ``TooManyMessages``."""
        room, standing = await self._rooms.lock(room_id, actor)
        if not standing.is_member:
            raise NotAMember
        if self._realtime.access.is_reserved(data.event):
            raise _invalid("event", FieldCode.INVALID_CHOICE, "Only the service publishes events with such a name.")
        message_id = await self._publish(room, data.event, self._encode(data.data), actor)
        return await self._read(room_id, message_id)

    async def update(
        self, room_id: UUID, message_id: int, data: MessageUpdate, if_match: IfMatch, actor: Principal
    ) -> MessageRead:
        """Raises ``RoomNotFound``, ``NotAMember``, ``MessageNotFound``, ``NotYourMessage``, ``PreconditionFailed``,
        ``RoomClosed``, ``ValidationFailed`` or ``TooManyMessages``.
        """
        room, message = await self._lock(room_id, message_id, if_match, actor)
        old = msgspec.json.decode(message.data)
        if data.data is not UNSET:
            self._encode(data.data)  # before anything walks through it
        body = self._encode(old if data.data is UNSET else merge_patch(old, data.data))
        if body != msgspec.json.encode(old):
            await self._publish(room, MESSAGE_UPDATED, body, actor, message)
            await self.unit.execute(
                UPDATE_MESSAGE, in_channel=message.channel, message_id=message_id, new_data=body.decode()
            )
        return await self._read(room_id, message_id, was=message)

    async def delete(self, room_id: UUID, message_id: int, if_match: IfMatch, actor: Principal) -> None:
        """Its place in the channel stays, without what was said; also in a closed room.

        Raises ``RoomNotFound``, ``NotAMember``, ``MessageNotFound``, ``NotYourMessage`` or ``PreconditionFailed``.
        """
        room, message = await self._lock(room_id, message_id, if_match, actor)
        await self._publish(room, MESSAGE_DELETED, b"null", actor, message)
        await self.unit.execute(DELETE_MESSAGE, in_channel=message.channel, message_id=message_id)
        await self._read(room_id, message_id, was=message)

    async def _lock(
        self, room_id: UUID, message_id: int, if_match: IfMatch, actor: Principal
    ) -> tuple[Room, StoredEvent]:
        """The room, locked, and what someone said in it, which the actor may change."""
        room, standing = await self._rooms.lock(room_id, actor)
        is_staff = actor.may(ROOMS_WRITE)
        if not (standing.is_member or is_staff):
            raise NotAMember
        values = {"in_channel": room_channel(room_id), "message_id": min(message_id, MAX_ID)}
        message = await self.unit.first(MESSAGE, **values)
        if message is None or self._realtime.access.is_reserved(message.event):
            raise MessageNotFound
        if not (is_staff or actor.user_id in {message.sender_id, room.owner_id}):
            raise NotYourMessage
        if_match.check(message.version)
        return room, message

    async def _publish(
        self, room: Room, event: str, body: bytes, actor: Principal, target: StoredEvent | None = None
    ) -> int:
        """Everything counts for the quota of the actor; only a deletion is never refused."""
        if event != MESSAGE_DELETED:
            if room.closed_at is not None:
                raise RoomClosed
            try:
                await self._realtime.writer.quota.take(actor.user_id)
            except QuotaReached as exc:
                raise TooManyMessages(exc.detail) from None
        if target is not None and target.sender_id != actor.user_id:
            await self._rooms.record(event, room, actor, message_id=target.id)
        new = NewEvent(
            channel=room_channel(room.id),
            event=event,
            data=body,
            sender=actor.user_id,
            target=None if target is None else target.id,
        )
        (event_id,) = await self._realtime.writer.publish_in(self.unit, new)
        return event_id

    async def _read(self, room_id: UUID, message_id: int, was: StoredEvent | None = None) -> MessageRead:
        """The message as it is now, also for who repeats its creation with the same idempotency key and is still a
        member.
        """
        row = await self.unit.one(MESSAGE, MessageNotFound, in_channel=room_channel(room_id), message_id=message_id)
        read = read_message(row, await people_by_id(self.unit, [row.sender_id]))
        if was is not None and was.version != row.version:
            location = location_of(room_id, message_id)
            if row.sender_id is not None and await self._rooms.is_member(room_id, row.sender_id):
                await replace_body(self.unit, location, msgspec.json.encode(read))
            else:
                await forget_response(self.unit, location)
        return read

    def _encode(self, value: Any) -> bytes:
        """Raises ``ValidationFailed`` for what sockets do not take either."""
        most = self._realtime.options.max_message_bytes
        try:
            body = msgspec.json.encode(value)
            if len(body) > most:
                raise _invalid("data", FieldCode.TOO_LONG, f"Must have at most {most} bytes.")
            check_data(body)
        except (InvalidData, OverflowError) as exc:
            detail = exc.detail if isinstance(exc, InvalidData) else "An integer must fit into 64 bits."
            raise _invalid("data", FieldCode.INVALID_FORMAT, detail) from None
        return body


def location_of(room_id: UUID, message_id: int) -> str:
    """Where a message is found."""
    return f"/api/v1/rooms/{room_id}/messages/{message_id}"


def merge_patch(target: Any, patch: Any) -> Any:
    """RFC 7396, section 2."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(cast("dict[str, Any]", target)) if isinstance(target, dict) else {}
    for name, value in cast("dict[str, Any]", patch).items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), value)
    return merged


def _invalid(member: str, code: FieldCode, detail: str) -> ValidationFailed:
    return ValidationFailed([FieldError(pointer=f"/{member}", code=code, detail=detail)])
