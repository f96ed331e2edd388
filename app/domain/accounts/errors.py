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
    detail = "The account does not exist any more."


class RoleNotFound(NotFound):
    detail = "There is no such role."


class ProfileNotFound(NotFound):
    detail = "There is no such profile."


class EmailTaken(Duplicate):
    detail = "Another account uses this e-mail address."

    def __init__(self) -> None:
        super().__init__(errors=[FieldError(pointer="/email", code=FieldCode.NOT_UNIQUE, detail="Is taken.")])


class UsernameTaken(Duplicate):
    detail = "Another account uses this username."

    def __init__(self) -> None:
        super().__init__(errors=[FieldError(pointer="/username", code=FieldCode.NOT_UNIQUE, detail="Is taken.")])


class RoleNameTaken(Duplicate):
    detail = "Another role has this name."

    def __init__(self) -> None:
        super().__init__(errors=[FieldError(pointer="/name", code=FieldCode.NOT_UNIQUE, detail="Is taken.")])


class LastSuperuser(InvalidState):
    detail = "This is the last active superuser; make another one first."


class OwnAccess(PermissionDenied):
    detail = "Nobody may change their own roles or their own superuser, active or verified flag."


class BeyondOwnRights(PermissionDenied):
    """Nobody grants what they lack, or takes over somebody who has more rights than they have."""

    def __init__(self, lacking: Sequence[str] = ()) -> None:
        what = f": {', '.join(sorted(lacking))}" if lacking else ""
        super().__init__(f"This would reach beyond your own rights{what}.")


class WrongCurrentPassword(AppError):
    """403 and not 401: the token is good, so a client must not throw its session away."""

    status = 403
    code = INVALID_CREDENTIALS
    detail = "The current password is not right."

    def __init__(self) -> None:
        error = FieldError(pointer="/current_password", code=FieldCode.INVALID_CHOICE, detail="Is not right.")
        super().__init__(errors=[error])


class PasswordChangedMeanwhile(Conflict):
    detail = "The password was changed at the same moment by somebody else."
