"""The protocol of frames on one socket."""

from app.lib.realtime.channels import NewEvent, parse_channel
from app.lib.realtime.errors import InvalidData, MessageTooLarge, NotSubscribed, RealtimeError, refusal_of
from app.lib.realtime.frames import (
    NOT_UNICODE,
    Ack,
    BadFrame,
    ClientFrame,
    CloseCode,
    Error,
    NotUnicode,
    Ping,
    Pong,
    Publish,
    Refresh,
    Refreshed,
    ServerFrame,
    ServerPong,
    Subscribe,
    Unsubscribed,
    check_data,
    decode_frame,
    encode_frame,
)
from app.lib.realtime.sockets import Socket


class Connection(Socket):
    """The JSON protocol of :mod:`.frames`. Frames are handled in the order in which they come."""

    async def on_text(self, text: str) -> None:
        """A frame."""
        try:
            frame = decode_frame(text, self.context.options.max_message_bytes)
        except BadFrame as exc:
            self.close(CloseCode.BAD_FRAME, str(exc))
            return
        except NotUnicode as exc:
            self._refuse(exc.frame, InvalidData(NOT_UNICODE))
            return
        try:
            await self._handle(frame)
        except Exception as exc:  # noqa: BLE001 - answered to the client, and logged where it is a bug
            self._refuse(frame, refusal_of(exc))

    async def _handle(self, frame: ClientFrame) -> None:
        if isinstance(frame, Publish):
            await self.context.access.check_publish(self.principal, parse_channel(frame.channel), frame.event)
            data = bytes(frame.data)
            if len(data) > (most := self.context.options.max_message_bytes):
                raise MessageTooLarge(most)
            check_data(data)
            event = NewEvent(channel=frame.channel, event=frame.event, data=data, sender=self.user_id, key=frame.key)
            await self.context.publish(event, lambda event_id: self._answer(Ack(id=event_id, ref=frame.ref)))
        elif isinstance(frame, Subscribe):
            await self.subscribe(frame.channel, frame.since, frame.ref)
        elif isinstance(frame, Ping):
            self._answer(ServerPong(ref=frame.ref))
        elif isinstance(frame, Refresh):
            renewed = await self.context.access.people.refresh(self.principal, frame.token)
            self.principal = renewed.principal
            self._answer(Refreshed(expires_at=renewed.expires_at, ref=frame.ref))
        elif not isinstance(frame, Pong):
            parse_channel(frame.channel)
            if not self.context.detach(self, frame.channel):
                raise NotSubscribed
            self.channels.discard(frame.channel)
            self._answer(Unsubscribed(channel=frame.channel, ref=frame.ref))

    def _answer(self, frame: ServerFrame) -> None:
        self.put(encode_frame(frame))

    def _refuse(self, frame: ClientFrame, error: RealtimeError) -> None:
        channel = None if isinstance(frame, Ping | Pong | Refresh) else frame.channel
        ref = None if isinstance(frame, Pong) else frame.ref
        self._answer(Error(code=error.code, detail=error.detail, retryable=error.retryable, ref=ref, channel=channel))
