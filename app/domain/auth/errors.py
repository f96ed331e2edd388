from app.lib.errors import AppError, ErrorCode, InvalidToken, PermissionDenied


class InvalidCredentials(AppError):
    """The same for a wrong password and an unknown account. OAuth2 clients look for ``error`` (RFC 6749, 5.2)."""

    status = 401
    code = ErrorCode.INVALID_CREDENTIALS
    detail = "The user name or the password is not right."

    def __init__(self) -> None:
        super().__init__(headers={"WWW-Authenticate": "Bearer"}, extensions={"error": "invalid_grant"})


class AccountInactive(PermissionDenied):
    code = ErrorCode.ACCOUNT_INACTIVE
    is_denial = False  # the sign-in is in the audit log already
    detail = "This account is deactivated."


class EmailUnverified(PermissionDenied):
    code = ErrorCode.EMAIL_UNVERIFIED
    is_denial = False
    detail = "Verify the e-mail address first."


class SessionEnded(InvalidToken):
    detail = "The session has ended. Sign in again."


class RefreshTokenReused(InvalidToken):
    """An old refresh token came back: somebody has a copy, so the session is over for everybody."""

    detail = "The refresh token was used before, so its session has been ended. Sign in again."
