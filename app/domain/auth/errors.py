from typing import ClassVar
from uuid import UUID

from app.domain.accounts.errors import INVALID_CREDENTIALS
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
    ValidationFailed,
)


class InvalidCredentials(AppError):
    """The same for a wrong password, an unknown account and, where addresses have to be confirmed, one whose address is
    not.
    """

    status = 401
    code = INVALID_CREDENTIALS
    detail = "The user name or the password is not right."
    own_headers: ClassVar = {"WWW-Authenticate": "Bearer"}

    def __init__(self, *, or_unverified: bool = False) -> None:
        detail = f"{self.detail[:-1]}, or the e-mail address is not confirmed yet." if or_unverified else None
        super().__init__(detail)


class InvalidForm(ValidationFailed):
    """A form of OAuth2 with fields that are missing or invalid, which is 400 there (RFC 6749 section 5.2)."""

    status = 400


class AccountInactive(PermissionDenied):
    code = ErrorCode(
        "account_inactive", "The account is deactivated", "Ask an administrator of the service to activate it."
    )
    is_denial = False  # the sign-in is in the audit log already
    detail = "This account is deactivated."


class MfaRequired(PermissionDenied):
    """The first factor was right, and the user has a second one."""

    code = ErrorCode(
        "mfa_required",
        "A second factor is required",
        "Repeat the request with the second factor.",
        (
            (
                "mfa_token",
                "For the second step of a sign-in; absent where the same request has to be repeated with a `code`.",
                "4fGc1XqzR8mWb0YtLh2KpVnA7sUeD9oJi3TxQ5rZgBy",
            ),
        ),
    )
    is_denial = False
    detail = "This account has a second factor, which is needed as well."

    def __init__(self, token: str | None = None) -> None:
        """``token`` is for the second step of a sign-in; there is none where the same request has to be repeated."""
        super().__init__(extensions={"mfa_token": token} if token else None)


class InvalidMfaToken(ValidationFailed):
    """The token of the first step is unknown, was used or tried too often, or the user was changed since."""

    def __init__(self) -> None:
        detail = "Is unknown, was used, or has expired. Sign in again."
        super().__init__([FieldError(pointer="/mfa_token", code=FieldCode.INVALID_CHOICE, detail=detail)])


class WrongCode(ValidationFailed):
    """One answer for a code that is wrong, was used, or is of another time."""

    def __init__(self, pointer: str = "/code") -> None:
        super().__init__([FieldError(pointer=pointer, code=FieldCode.INVALID_CHOICE, detail="Is not right.")])


class TotpAlreadyOn(InvalidState):
    detail = "You have an app that makes codes. Remove it first."


class TotpNotFound(NotFound):
    detail = "There is no app that makes codes, or it was not confirmed in time. Set one up."


class SecondFactorOff(NotFound):
    detail = "There is no second factor."


class SessionNotFound(NotFound):
    detail = "There is no such session, it has ended, or it is not yours."


class SessionEnded(InvalidToken):
    detail = "The session has ended. Sign in again."


class RefreshTokenReused(InvalidToken):
    """An old refresh token was used: there is a copy of it, so the session ends for all who have one."""

    detail = "The refresh token was used before, so its session has been ended. Sign in again."


class KeyRefused(InvalidToken):
    """A key that was good once. That it is still used is in the audit log."""

    is_denial = True
    detail = "The API key is revoked or has expired, or its account is deactivated."

    def __init__(self, key_id: UUID, user_id: UUID) -> None:
        super().__init__()
        self.audited = {"subject_id": user_id, "api_key_id": str(key_id)}


class ApiKeyNotFound(NotFound):
    detail = "There is no such API key, it is good no more, or it is not yours."


class NoMailedCode(InvalidState):
    """With a password, the mailbox alone must not be enough."""

    detail = "Codes are mailed to users who have no password and a confirmed address. Confirm your password instead."


class NotImpersonable(InvalidState):
    detail = "The user is deactivated, or a service account."


class OwnKeysOnly(InvalidState):
    detail = "People create their own API keys. Only service accounts get theirs from others."


class TooManyApiKeys(Conflict):
    def __init__(self, most: int) -> None:
        super().__init__(f"There are {most} API keys already. Revoke one that is not needed any more.")


class SameEmail(ValidationFailed):
    def __init__(self) -> None:
        detail = "Is your address already."
        super().__init__([FieldError(pointer="/email", code=FieldCode.INVALID_CHOICE, detail=detail)])


class InvalidLink(ValidationFailed):
    """The secret of a mail is unknown, was used, has expired or was replaced by a newer one: no answer says which."""

    def __init__(self, pointer: str = "/token") -> None:
        detail = "Is unknown, was used, or has expired. Ask for a new mail."
        super().__init__([FieldError(pointer=pointer, code=FieldCode.INVALID_CHOICE, detail=detail)])


class PasskeyNotFound(NotFound):
    detail = "There is no such passkey, or it is not yours."


class PasskeyTaken(Duplicate):
    detail = "This passkey is registered already."
    member = "credential"


class TooManyPasskeys(Conflict):
    def __init__(self, limit: int) -> None:
        super().__init__(f"You have {limit} passkeys, which is the maximum; delete one first.")


class NoPasskey(InvalidState):
    detail = "This account has no passkey."


class LastWayIn(InvalidState):
    detail = "You could not sign in any more. Set a password first, or add another passkey or provider."


class WrongPasskey(ValidationFailed):
    def __init__(self) -> None:
        detail = "Is not an answer to the options that you were given, or these have expired. Ask for new ones."
        super().__init__([FieldError(pointer="/credential", code=FieldCode.INVALID_CHOICE, detail=detail)])


class PasskeyRefused(InvalidCredentials):
    """The same for a passkey that no one has, one of another user, and an answer that is wrong, late or used before."""

    detail = "The passkey is not known here, or its answer is wrong, late or used."
