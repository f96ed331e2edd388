from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta

from app.lib.addresses import MAX_LENGTH
from app.lib.audit import MAX_USER_AGENT
from app.lib.errors import FieldCode, FieldError, ValidationFailed
from app.lib.pagination.envelope import Page
from app.lib.wire.decoding import Hint
from app.lib.wire.dto import Input, Output
from app.lib.wire.fields import END

SignInName = Annotated[
    str, Meta(min_length=1, max_length=320, examples=["ada@example.com"], description="E-mail address or username.")
]
GivenPassword = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=1024,
        examples=["correct horse battery staple"],
        extra_json_schema={"format": "password"},
    ),
]
SecondFactorCode = Annotated[
    str,
    Meta(
        pattern=rf"^[0-9A-Za-z](?:[ -]?[0-9A-Za-z]){{5,31}}{END}",
        max_length=64,
        examples=["492039"],
        description="Six digits of the app, or a recovery code.",
    ),
    Hint("Must be the six digits of the app, or a recovery code."),
]
Token = Annotated[str, Meta(min_length=1, max_length=4096)]
_AccessToken = Annotated[Token, Meta(examples=["eyJhbGciOiJFZERTQSIsInR5cCI6ImF0K2p3dCJ9.eyJzdWIiOi…"])]
_RefreshToken = Annotated[Token, Meta(examples=["eyJhbGciOiJFZERTQSIsInR5cCI6InJlZnJlc2grand0In0.eyJzdWIiOi…"])]


class SignIn(Input):
    """The OAuth2 password form (RFC 6749 section 4.3.2), or the same as JSON."""

    password: GivenPassword
    username: SignInName | None = None
    email: Annotated[str, Meta(min_length=1, max_length=320, description="May stand for `username`.")] | None = None
    grant_type: Annotated[Literal["password", ""], Meta(examples=["password"])] | None = None
    scope: Annotated[str, Meta(max_length=1000, description="Ignored.")] | None = None
    client_id: Annotated[str, Meta(max_length=255, description="Ignored.")] | None = None
    client_secret: Annotated[str, Meta(max_length=255, description="Ignored.")] | None = None

    def __post_init__(self) -> None:
        if self.username is None and self.email is None:
            raise ValidationFailed([FieldError(pointer="/username", code=FieldCode.REQUIRED, detail="Is required.")])
        if self.username is not None and self.email is not None:
            detail = "Stands for 'username', so send one of the two."
            raise ValidationFailed([FieldError(pointer="/email", code=FieldCode.INVALID_CHOICE, detail=detail)])

    @property
    def login(self) -> str:
        """The one that was sent."""
        return self.username or self.email or ""


class Refresh(Input):
    """A refresh token, as JSON or as the OAuth2 form (RFC 6749 section 6)."""

    refresh_token: _RefreshToken
    grant_type: Annotated[Literal["refresh_token", ""], Meta(examples=["refresh_token"])] | None = None
    scope: Annotated[str, Meta(max_length=1000, description="Ignored.")] | None = None
    client_id: Annotated[str, Meta(max_length=255, description="Ignored.")] | None = None
    client_secret: Annotated[str, Meta(max_length=255, description="Ignored.")] | None = None


class TokenPair(Output):
    """The result of a sign-in (RFC 6749 section 5.1). ``expires_in`` is in seconds, for the access token."""

    access_token: _AccessToken
    refresh_token: _RefreshToken
    token_type: Literal["bearer"]
    expires_in: Annotated[int, Meta(ge=1, le=86_400, examples=[600])]


class ImpersonationToken(Output):
    """An access token by which support acts as a user. There is no refresh token. ``expires_in`` is in seconds."""

    access_token: _AccessToken
    token_type: Literal["bearer"]
    expires_in: Annotated[int, Meta(ge=1, le=3600, examples=[3600])]


class JsonWebKey(Output):
    """A public key (RFC 7517, RFC 8037)."""

    kty: Annotated[str, Meta(max_length=20, examples=["OKP"])]
    crv: Annotated[str, Meta(max_length=20, examples=["Ed25519"])]
    x: Annotated[str, Meta(max_length=100, examples=["11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"])]
    kid: Annotated[str, Meta(max_length=100, examples=["kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"])]
    alg: Annotated[str, Meta(max_length=20, examples=["EdDSA"])]
    use: Annotated[str, Meta(max_length=20, examples=["sig"])]


class JsonWebKeys(Output):
    """The keys that verify access tokens."""

    keys: Annotated[list[JsonWebKey], Meta(max_length=20)]


class SessionRead(Output):
    """A sign-in that has not ended. ``device`` is what the client says of itself (``User-Agent``)."""

    id: UUID
    current: Annotated[bool, Meta(examples=[True], description="Whether the request belongs to this session.")]
    by_support: Annotated[bool, Meta(description="Whether support acts as you in it, for an hour at most.")]
    device: Annotated[str, Meta(max_length=MAX_USER_AGENT, examples=["Mozilla/5.0 (X11; Linux x86_64)"])] | None
    address: Annotated[str, Meta(max_length=MAX_LENGTH, examples=["203.0.113.7"])] | None
    created_at: datetime
    authenticated_at: Annotated[datetime, Meta(description="When the password was last given.")]
    last_seen_at: Annotated[datetime, Meta(description="Of the sign-in, or the last refresh.")]
    expires_at: Annotated[datetime, Meta(description="When it ends in any case.")]


class SessionPage(Page[SessionRead], frozen=True, kw_only=True):
    """The sessions of a user, the one used last first; 50 at most."""


class Reauthentication(Input):
    """The password of the user who is signed in, or for one without a password the code of a mail; with a second
    factor, a code of it, too.
    """

    password: GivenPassword | None = None
    mailed_code: (
        Annotated[
            str,
            Meta(
                pattern=rf"^[0-9]{{6}}{END}",
                max_length=6,
                examples=["042917"],
                description="Six digits.",
                extra={"is_alternative": True},
            ),
        ]
        | None
    ) = None
    code: SecondFactorCode | None = None

    def __post_init__(self) -> None:
        if (self.password is None) == (self.mailed_code is None):
            detail = "Is required, unless you have no password and send 'mailed_code'."
            raise ValidationFailed([FieldError(pointer="/password", code=FieldCode.REQUIRED, detail=detail)])
