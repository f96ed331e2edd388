from collections.abc import Sequence

from app.lib.errors import (
    AppError,
    Conflict,
    Duplicate,
    ErrorCode,
    FieldCode,
    FieldError,
    InvalidState,
    InvalidToken,
    NotFound,
    PermissionDenied,
)

INVALID_CREDENTIALS = ErrorCode(
    "invalid_credentials",
    "Wrong user name or password",
    "Check both. The answer is the same whether or not the account exists.",
)


class UserNotFound(NotFound):
    detail = "There is no such user, or you may not see them."


class AccountGone(InvalidToken):
    detail = "The account no longer exists."


class RoleNotFound(NotFound):
    detail = "There is no such role."


class ProfileNotFound(NotFound):
    detail = "There is no such profile."


class EmailTaken(Duplicate):
    detail = "Another account uses this e-mail address."
    member = "email"


class UsernameTaken(Duplicate):
    detail = "Another account uses this username."
    member = "username"


class RoleNameTaken(Duplicate):
    detail = "Another role has this name."
    member = "name"


class SystemRole(InvalidState):
    detail = "The service itself uses this name: no other role can have it, and a role that has it keeps it and stays."


class LastSuperuser(InvalidState):
    detail = "This is the last active superuser. Promote another user first."


class TooManyServiceAccounts(Conflict):
    def __init__(self, most: int) -> None:
        super().__init__(f"There are {most} service accounts already. Delete one that is not needed any more.")


class FixedServiceAccount(InvalidState):
    detail = "Of a service account only the name and the locale can be changed: no one signs in as it."


class OwnAccess(PermissionDenied):
    detail = "You cannot change your own address, roles, or superuser, active or verified flag here."


class BeyondOwnRights(PermissionDenied):
    """An actor may not grant permissions that they lack, or change a user who has more permissions than they have."""

    def __init__(self, lacking: Sequence[str] = ()) -> None:
        what = f": {', '.join(sorted(lacking))}" if lacking else ""
        super().__init__(f"This needs permissions that you do not have{what}.")


class WrongCurrentPassword(AppError):
    """403 and not 401: the token is good, so a client must keep its session."""

    status = 403
    code = INVALID_CREDENTIALS
    detail = "The current password is not right."

    def __init__(self, pointer: str = "/current_password") -> None:
        error = FieldError(pointer=pointer, code=FieldCode.INVALID_CHOICE, detail="Is not right.")
        super().__init__(errors=[error])


class PasswordAlreadyChanged(Conflict):
    detail = "The password was changed by another request at the same time."
