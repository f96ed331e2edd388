from typing import Annotated, Literal

from msgspec import Meta

from app.lib.dto import Input, Output
from app.lib.errors import FieldCode, FieldError, ValidationFailed

SignInName = Annotated[str, Meta(min_length=1, max_length=320, description="E-mail address or username.")]
GivenPassword = Annotated[str, Meta(min_length=1, max_length=1024, extra_json_schema={"format": "password"})]
Token = Annotated[str, Meta(min_length=1, max_length=4096)]


class SignIn(Input):
    """The OAuth2 password form (RFC 6749 section 4.3.2), or the same as JSON."""

    password: GivenPassword
    username: SignInName | None = None
    email: Annotated[str, Meta(min_length=1, max_length=320, description="May stand for `username`.")] | None = None
    grant_type: Literal["password", ""] | None = None
    scope: Annotated[str, Meta(max_length=1000, description="Ignored.")] | None = None
    client_id: Annotated[str, Meta(max_length=255, description="Ignored.")] | None = None
    client_secret: Annotated[str, Meta(max_length=255, description="Ignored.")] | None = None

    def __post_init__(self) -> None:
        if bool(self.username) == bool(self.email):
            detail = "Either 'username' or 'email' is required, not both."
            raise ValidationFailed([FieldError(pointer="/username", code=FieldCode.REQUIRED, detail=detail)])

    @property
    def login(self) -> str:
        """Whichever was given."""
        return self.username or self.email or ""


class Refresh(Input):
    """A refresh token, as JSON or as the OAuth2 form (RFC 6749 section 6)."""

    refresh_token: Token
    grant_type: Literal["refresh_token", ""] | None = None
    scope: Annotated[str, Meta(max_length=1000, description="Ignored.")] | None = None
    client_id: Annotated[str, Meta(max_length=255, description="Ignored.")] | None = None
    client_secret: Annotated[str, Meta(max_length=255, description="Ignored.")] | None = None


class TokenPair(Output):
    """What a sign-in gives (RFC 6749 section 5.1). ``expires_in`` is in seconds, for the access token."""

    access_token: str
    refresh_token: str
    token_type: Literal["bearer"]
    expires_in: int


class RegistrationAccepted(Output):
    """The answer to every registration where addresses are verified first: it does not tell who has an account."""

    status: Literal["verification_required"]
    detail: str
