from typing import Annotated

from msgspec import Meta

from app.config import Section


class RealtimeSettings(Section, frozen=True, kw_only=True):
    """What people may say in rooms, and how long it is kept."""

    realtime_max_message_bytes: Annotated[
        int, Meta(ge=256, le=60_000, description="Largest message, in bytes of JSON.")
    ] = 4_096
    realtime_max_messages_per_day: Annotated[
        int, Meta(ge=1, le=10_000_000, description="Messages that a user may publish within 24 hours.")
    ] = 10_000
    realtime_keep_days: Annotated[
        Annotated[int, Meta(ge=1, le=3650)] | None,
        Meta(description="How long new messages of rooms are kept; default for good."),
    ] = None
