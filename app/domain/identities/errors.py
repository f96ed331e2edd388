from app.lib.errors import (
    Conflict,
    Duplicate,
    ErrorCode,
    FieldCode,
    FieldError,
    InvalidState,
    NotFound,
    PermissionDenied,
    Unavailable,
    ValidationFailed,
)

LINK_REQUIRED = ErrorCode(
    "link_required",
    "The address has an account already",
    "Sign in to the account another way, and link the provider there.",
)
EMAIL_UNVERIFIED = ErrorCode(
    "email_unverified", "The email address is not confirmed", "Confirm the address where it is kept, and try again."
)


class ProviderNotFound(NotFound):
    detail = "There is no such identity provider."


class IdentityNotFound(NotFound):
    detail = "There is no such identity, or it is not yours."


class ProviderUnavailable(Unavailable):
    """It does not answer, or answers with what cannot be used. The log has the reason."""

    detail = "The identity provider does not answer as it should. Try again later, or sign in another way."


class InvalidAttempt(ValidationFailed):
    """No answer says which: the attempt is unknown, was used, has expired, or is another person's or provider's."""

    def __init__(self) -> None:
        detail = "Is unknown, was used, or has expired. Begin again."
        super().__init__([FieldError(pointer="/state", code=FieldCode.INVALID_CHOICE, detail=detail)])


class InvalidAnswer(ValidationFailed):
    """The provider does not take the code, or vouches for something else than was asked. The log has the reason."""

    def __init__(self) -> None:
        detail = "Is not good at the provider. Begin again."
        super().__init__([FieldError(pointer="/code", code=FieldCode.INVALID_CHOICE, detail=detail)])


class EmailNotConfirmed(PermissionDenied):
    """Only to a caller who is signed in at the provider."""

    code = EMAIL_UNVERIFIED
    is_denial = False
    detail = (
        "The identity provider does not say that your email address is confirmed. Confirm it there; or register here "
        "with a password, and link the provider in your account."
    )


class OwnEmailNotConfirmed(PermissionDenied):
    """A stranger may have registered with the address, and would keep a way into the account of its owner."""

    code = EMAIL_UNVERIFIED
    is_denial = False
    detail = "Confirm your email address first."


class LinkRequired(Conflict):
    """Only to a caller who has shown at the provider that the address is theirs."""

    code = LINK_REQUIRED
    detail = "An account has your email address already. Sign in to it another way, and link the provider there."


class IdentityTaken(Duplicate):
    detail = "This identity is linked to an account already, or your account has another one of this provider."


class NotAskedAgain(InvalidState):
    """A session that is open at the provider is no proof that the person is there."""

    detail = (
        "The identity provider does not say that it has just asked who you are. Confirm a passkey, or have a code "
        "mailed to you: POST /api/v1/auth/reauthenticate/send-code."
    )
