"""The parameters that routes of rooms share."""

from typing import Annotated

from litestar.openapi.spec.enums import OpenAPIType
from litestar.params import PathParameter, QueryParameter

from app.domain.realtime.dtos import Visibility
from app.domain.realtime.names import MAX_ROOM_NAME, ROOM_NAME
from app.domain.realtime.services.queries import MESSAGE_SORT_KEYS, ROOM_SORT_KEYS
from app.lib.pagination.sorting import sort_parameter

# A text that can be neither is 404 and not 422: the bounds are documentation.
_REFERENCE = {"type": OpenAPIType.STRING, "maxLength": MAX_ROOM_NAME, "pattern": ROOM_NAME}

RoomReference = Annotated[str, PathParameter(description="The room's id or its name.", schema_extra=_REFERENCE)]

RoomSort = Annotated[str | None, sort_parameter(ROOM_SORT_KEYS, "-created_at")]
MessageSort = Annotated[str | None, sort_parameter(MESSAGE_SORT_KEYS, "-id")]
Mine = Annotated[bool | None, QueryParameter(description="Only rooms that you are in.")]
Invited = Annotated[bool | None, QueryParameter(description="Only rooms that you are invited to.")]
Closed = Annotated[bool | None, QueryParameter(description="Only closed rooms, or only open ones.")]
VisibilityFilter = Annotated[
    list[Visibility] | None, QueryParameter(name="visibility", description="Repeat for any of several.", max_items=2)
]
Text = Annotated[str | None, QueryParameter(min_length=1, max_length=100, description="Part of the name or title.")]
MinId = Annotated[int | None, QueryParameter(ge=1, le=2**53 - 1, description="This event and later ones.")]
MaxId = Annotated[int | None, QueryParameter(ge=1, le=2**53 - 1, description="This event and earlier ones.")]
