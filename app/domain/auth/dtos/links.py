from typing import Annotated, Literal

from msgspec import Meta

from app.lib.errors import FieldCode, FieldError, ValidationFailed
from app.lib.security.fields import Email, Password
from app.lib.wire.decoding import Hint
from app.lib.wire.dto import Input, Output
from app.lib.wire.fields import END

_SIX_DIGITS = "Must be the six digits of the mail."

LinkToken = Annotated[str, Meta(min_length=1, max_length=100, examples=["4fGc1XqzR8mWb0YtLh2KpVnA7sUeD9oJi3TxQ5rZgBy"])]


class EmailVerification(Input):
    """The token of a mailed link, or an address with the code of the same mail; and the password of the account.

    Callers who are signed in as its user may leave the password out. For all others it becomes the password.
    """

    token: LinkToken | None = None
    email: Annotated[str, Meta(min_length=1, max_length=254, description="Goes with `code`.")] | None = None
    code: (
        Annotated[str, Meta(pattern=rf"^[0-9]{{6}}{END}", max_length=6, description="Six digits."), Hint(_SIX_DIGITS)]
        | None
    ) = None
    password: Password | None = None

    def __post_init__(self) -> None:
        given = (self.token is not None, self.email is not None, self.code is not None)
        if given not in {(True, False, False), (False, True, True)}:
            detail = "Send either 'token', or 'email' and 'code'."
            raise ValidationFailed([FieldError(pointer="", code=FieldCode.REQUIRED, detail=detail)])


class PasswordReset(Input):
    """The token of a mailed link, and the new password."""

    token: LinkToken
    password: Password


class EmailChange(Input):
    """The token of a link that was mailed to the new address."""

    token: LinkToken


class MailRequest(Input):
    """Where to mail to."""

    email: Email


class MailRequested(Output):
    """The same whether there is such an account or not."""

    status: Literal["accepted"]
    detail: Annotated[str, Meta(max_length=200, examples=["If there is such an account, a mail is on its way."])]


class RegistrationAccepted(Output):
    """The answer to every registration where addresses are verified first: the same for a free and a taken address."""

    status: Literal["verification_required"]
    detail: Annotated[str, Meta(max_length=200, examples=["A mail with the next step is on its way."])]
