from app.domain.realtime.limits import MAX_INVITATIONS, MAX_MEMBERS, MAX_OWNED
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

_RETRY_AFTER = 10
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


class NotYourRoom(PermissionDenied):
    """Changing it takes its owner, or the permission."""

    def __init__(self, permission: str) -> None:
        super().__init__(f"It is not your room; this needs the permission {permission}.")


class NotAMember(PermissionDenied):
    """Whoever sees a room does not see into it yet."""

    detail = "You are no member of this room."


class NotInvited(PermissionDenied):
    """For those who see a private room by a permission: seeing is not being in it."""

    detail = "This room is private, and you are not invited."


class RoomNameTaken(Duplicate):
    detail = "Another room has this name."

    def __init__(self) -> None:
        super().__init__(
            errors=[FieldError(pointer="/name", code=FieldCode.NOT_UNIQUE, detail="Is taken by another room.")]
        )


class RoomClosed(InvalidState):
    detail = "The room is closed."


class RoomFull(Conflict):
    detail = f"The room has {MAX_MEMBERS} members already, which is the most."


class TooManyRooms(Conflict):
    detail = f"You own {MAX_OWNED} open rooms already, which is the most. Close one first."


class TooManyInvitations(Conflict):
    detail = f"{MAX_INVITATIONS} people are invited to the room already, which is the most."


class AlreadyMember(Conflict):
    detail = "They are in the room already."


class AlreadyInvited(Duplicate):
    detail = "They are invited to the room already."


class NobodyToInvite(ValidationFailed):
    """There is no such person, or their account is not active."""

    def __init__(self) -> None:
        super().__init__([FieldError(pointer="/user_id", code=FieldCode.NOT_FOUND, detail="There is no such person.")])


class TooManyConnections(RateLimited):
    """Sockets and streams of one person, on all workers together."""

    detail = "You have as many sockets and streams open as one may have. Close one first."

    def __init__(self) -> None:
        super().__init__(_RETRY_AFTER)
