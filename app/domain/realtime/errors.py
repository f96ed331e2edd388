from app.domain.realtime.names import MAX_CREATED, MAX_INVITATIONS, MAX_MEMBERS, MAX_OWNED
from app.domain.realtime.permissions import ROOMS_WRITE
from app.lib.errors import (
    Conflict,
    Duplicate,
    FieldCode,
    FieldError,
    InvalidState,
    NotFound,
    NotVisible,
    PermissionDenied,
    RateLimited,
    ValidationFailed,
)

_HOUR = 3_600
_NOT_HERE = "There is no such room, or you may not see it."


class RoomNotFound(NotFound):
    detail = _NOT_HERE


class RoomNotVisible(NotVisible):
    """There is one, but the caller must not learn of it."""

    detail = _NOT_HERE


class MemberNotFound(NotFound):
    detail = "There is no such member in this room."


class InvitationNotFound(NotFound):
    detail = "There is no such invitation to this room."


class MessageNotFound(NotFound):
    detail = "There is no such message in this room, or it was deleted."


class NotYourMessage(PermissionDenied):
    """Only its sender, the room's owner and holders of the permission may change it."""

    detail = f"This is not your message; you need the permission {ROOMS_WRITE}."


class NotYourRoom(PermissionDenied):
    """Only the owner and holders of the permission may change it."""

    detail = f"This is not your room; you need the permission {ROOMS_WRITE}."


class NotAMember(PermissionDenied):
    """Seeing a room does not mean seeing its members and messages."""

    detail = "You are not a member of this room."


class NotInvited(PermissionDenied):
    """For holders of a permission who see a private room: they are not members."""

    detail = "This room is private, and you are not invited."


class RoomNameTaken(Duplicate):
    detail = "Another public room has this name."
    member = "name"


class RoomClosed(InvalidState):
    detail = "The room is closed."


class RoomEmpty(InvalidState):
    """All have left it, so it has no owner."""

    detail = "The room has no members."


class RoomFull(Conflict):
    detail = f"The room has {MAX_MEMBERS} members, the maximum."


class TooManyRooms(Conflict):
    detail = f"Its owner has {MAX_OWNED} open rooms, the maximum. Close one first."


class TooManyRoomsInADay(RateLimited):
    detail = f"You have created {MAX_CREATED} rooms within a day, the maximum."

    def __init__(self) -> None:
        super().__init__(_HOUR)


class TooManyMessages(RateLimited):
    def __init__(self, detail: str) -> None:
        super().__init__(_HOUR)
        self.detail = detail


class TooManyInvitations(Conflict):
    detail = f"The room has {MAX_INVITATIONS} open invitations, the maximum."


class AlreadyMember(Conflict):
    detail = "This user is a member of the room already."


class AlreadyInvited(Duplicate):
    detail = "This user is invited to the room already."


class InviteeNotFound(ValidationFailed):
    """There is no such user, or the account is not active."""

    def __init__(self, member: str) -> None:
        detail = "There is no such user."
        super().__init__([FieldError(pointer=f"/{member}", code=FieldCode.NOT_FOUND, detail=detail)])
