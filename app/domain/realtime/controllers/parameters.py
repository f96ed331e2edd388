"""The parameters that routes of rooms share."""

from typing import Annotated

from litestar.params import QueryParameter

from app.domain.realtime.dtos import Visibility
from app.domain.realtime.names import MAX_ROOM_NAME, ROOM_NAME
from app.domain.realtime.services.queries import MESSAGE_SORT_KEYS, ROOM_SORT_KEYS
from app.lib.pagination.sorting import sort_parameter

RoomSort = Annotated[str | None, sort_parameter(ROOM_SORT_KEYS, "-created_at")]
MessageSort = Annotated[str | None, sort_parameter(MESSAGE_SORT_KEYS, "-id")]
Mine = Annotated[bool | None, QueryParameter(description="Only rooms that you are in.")]
Invited = Annotated[bool | None, QueryParameter(description="Only rooms that you are invited to.")]
Closed = Annotated[bool | None, QueryParameter(description="Only closed rooms, or only open ones.")]
VisibilityFilter = Annotated[
    list[Visibility] | None, QueryParameter(name="visibility", description="Repeat for any of several.", max_items=2)
]
Name = Annotated[
    str | None, QueryParameter(max_length=MAX_ROOM_NAME, pattern=ROOM_NAME, description="Only rooms of this name.")
]
Text = Annotated[str | None, QueryParameter(min_length=1, max_length=100, description="Part of the name or title.")]
MinId = Annotated[int | None, QueryParameter(ge=1, le=2**53 - 1, description="This event and later ones.")]
MaxId = Annotated[int | None, QueryParameter(ge=1, le=2**53 - 1, description="This event and earlier ones.")]
