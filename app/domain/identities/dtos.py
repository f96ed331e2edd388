from datetime import datetime
from typing import Annotated
from uuid import UUID

from msgspec import Meta

from app.domain.auth.dtos.sessions import SecondFactorCode
from app.lib.pagination.envelope import Page
from app.lib.security.fields import Email
from app.lib.wire.dto import Input, Output

ProviderName = Annotated[str, Meta(min_length=1, max_length=31, examples=["google"])]
ProviderTitle = Annotated[str, Meta(max_length=40, examples=["Google"])]
_Secret = Annotated[str, Meta(min_length=1, max_length=100, examples=["4fGc1XqzR8mWb0YtLh2KpVnA7sUeD9oJi3TxQ5rZgBy"])]
_State = Annotated[str, Meta(min_length=1, max_length=100, examples=["tQ7xWb2nKe9LrVd4ZsYc0HmJp8GuAf6TiRoX1DkNvEq"])]
_Code = Annotated[
    str, Meta(min_length=1, max_length=3000, examples=["SplxlOBeZQQYbYS6WxSbIA"], description="As it came back.")
]
_Issuer = Annotated[
    str,
    Meta(
        min_length=1, max_length=255, examples=["https://accounts.google.com"], description="Send it if it came back."
    ),
]


class ProviderRead(Output):
    """An identity provider where people may sign in."""

    name: ProviderName
    title: ProviderTitle


class ProviderPage(Page[ProviderRead], frozen=True, kw_only=True):
    """The identity providers, in the order of the settings."""


class Authorization(Output):
    """Where to send the browser, and what to keep for the way back.

    Keep ``secret`` where no other site or person gets it, such as ``sessionStorage``; it never leaves it before the
    last request. The browser comes back to ``redirect_uri`` with ``state`` and ``code``.
    """

    authorization_url: Annotated[
        str, Meta(max_length=4096, examples=["https://accounts.google.com/o/oauth2/v2/auth?…"])
    ]
    redirect_uri: Annotated[str, Meta(max_length=2048, examples=["https://app.example.com/account/sign-in/google"])]
    state: _State
    secret: _Secret
    expires_at: Annotated[datetime, Meta(examples=["2026-01-31T12:10:00Z"])]


class ProviderAnswer(Input):
    """What the browser came back with, and the secret that was kept for it."""

    state: _State
    secret: _Secret
    code: _Code
    iss: _Issuer | None = None


class ProviderReauthentication(ProviderAnswer, kw_only=True):
    """The same; with a second factor, a code of it, too."""

    mfa_code: SecondFactorCode | None = None


class IdentityLink(ProviderAnswer, kw_only=True):
    """The same, and which provider it came from."""

    provider: ProviderName


class LinkRequest(Input):
    """The provider to link."""

    provider: ProviderName


class IdentityRead(Output):
    """An identity at a provider by which a user may sign in. ``email`` is the address there."""

    id: UUID
    provider: ProviderName
    email: Email | None
    linked_at: datetime
    last_used_at: datetime | None


class IdentityPage(Page[IdentityRead], frozen=True, kw_only=True):
    """The identities of a user, the first one first."""
