"""Passkeys on the wire. What browsers make and read is named as WebAuthn has it
(https://www.w3.org/TR/webauthn-3/#sctn-parseCreationOptionsFromJSON); everything else is snake case.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from app.domain.auth.dtos.links import LinkToken
from app.domain.auth.dtos.mfa import RecoveryCodeList
from app.domain.auth.dtos.sessions import GivenPassword
from app.lib.http.conditional import Version, Versioned
from app.lib.pagination.envelope import Page
from app.lib.security.authenticator_data import attested_data_of, authenticator_data_of, client_data_of, from_base64url
from app.lib.wire.decoding import Check, Hint
from app.lib.wire.dto import ForeignInput, Input, Output
from app.lib.wire.fields import END, SingleLine

MAX_PASSKEYS = 20
"""Of a person."""
TRANSPORTS = ("ble", "hybrid", "internal", "nfc", "smart-card", "usb")

_CLIENT_DATA = "eyJ0eXBlIjoid2ViYXV0aG4uZ2V0IiwiY2hhbGxlbmdlIjoiQUFBQSIsIm9yaWdpbiI6Imh0dHBzOi8vZXhhbXBsZS5jb20ifQ"
_AUTHENTICATOR_DATA = "o3mm9u6vuaVeN4wRgDTidR5oL6ufLTCrE9ISVYbOGUcFAAAABw"
_ATTESTATION = (
    "o2NmbXRkbm9uZWdhdHRTdG10oGhhdXRoRGF0YVhxo3mm9u6vuaVeN4wRgDTidR5oL6ufLTCrE9ISVYbOGUdFAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    "EFdcuyGI5lXzirliBIHUIfOkAQEDJyAGIVggAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
)


def _sound(read: Callable[[str], Any]) -> Check:
    """That a text can be read; it is kept as it is."""

    def check(text: str) -> str:
        read(text)
        return text

    return Check(check)


_BASE64URL = Meta(pattern=rf"^[A-Za-z0-9_-]*{END}", extra_json_schema={"contentEncoding": "base64url"})
_HINT = Hint("Must be base64url without padding.")
_Bytes = Annotated[str, _BASE64URL, _HINT]

CredentialId = Annotated[_Bytes, Meta(min_length=1, max_length=1364, examples=["V1y7IYjmVfOKuWIEgdQh8w"])]
_ClientData = Annotated[_Bytes, Meta(max_length=2048, examples=[_CLIENT_DATA]), _sound(client_data_of)]
_PasskeyName = Annotated[SingleLine, Meta(examples=["Work laptop"])]
_Transport = Annotated[str, Meta(max_length=32, examples=["internal"])]


class AttestationResponse(
    ForeignInput, rename={"client_data_json": "clientDataJSON", "attestation_object": "attestationObject"}
):
    """`AuthenticatorAttestationResponseJSON`. Its other members are ignored."""

    client_data_json: _ClientData
    attestation_object: Annotated[_Bytes, Meta(max_length=8192, examples=[_ATTESTATION]), _sound(attested_data_of)]
    transports: Annotated[list[_Transport], Meta(max_length=10)] = msgspec.field(default_factory=list)


class NewCredential(ForeignInput):
    """What `navigator.credentials.create()` gives, as `toJSON()` writes it."""

    id: CredentialId
    type: Literal["public-key"]
    response: AttestationResponse


class AssertionResponse(
    ForeignInput,
    rename={
        "client_data_json": "clientDataJSON",
        "authenticator_data": "authenticatorData",
        "user_handle": "userHandle",
    },
):
    """`AuthenticatorAssertionResponseJSON`. Its other members are ignored."""

    client_data_json: _ClientData
    authenticator_data: Annotated[
        _Bytes, Meta(max_length=2048, examples=[_AUTHENTICATOR_DATA]), _sound(authenticator_data_of)
    ]
    signature: Annotated[_Bytes, Meta(max_length=1024, examples=["MEUCIQDxR7qZ0m0x9w"]), _sound(from_base64url)]
    user_handle: Annotated[_Bytes, Meta(max_length=100), _sound(from_base64url)] | None = None


class Assertion(ForeignInput):
    """What `navigator.credentials.get()` gives, as `toJSON()` writes it."""

    id: Annotated[CredentialId, _sound(from_base64url)]
    type: Literal["public-key"]
    response: AssertionResponse


class PasskeyCreate(Input):
    """A new passkey, and a name to know it by."""

    credential: NewCredential
    name: _PasskeyName = "Passkey"


class PasskeyUpdate(Input):
    """A merge patch of a passkey."""

    name: _PasskeyName | UnsetType = UNSET


class PasskeyUse(Input):
    """What an authenticator has answered to options."""

    credential: Assertion


class MfaPasskey(PasskeyUse):
    """The second step of a sign-in."""

    mfa_token: LinkToken


class PasskeyReauthentication(PasskeyUse):
    """A passkey of the user who is signed in, and the password where its authenticator does not verify its user."""

    password: GivenPassword | None = None


class MfaTokenOnly(Input):
    """What a sign-in answered with."""

    mfa_token: LinkToken


class PasskeyRead(Versioned):
    """A passkey. Without ``verifies_user`` it is a second factor only, and does not sign in without the password.

    ``is_backed_up`` is whether it is kept outside of one device, as by a password manager. ``last_used_at`` and
    ``is_backed_up`` change with each use, and then ``version`` stays.
    """

    id: UUID
    name: _PasskeyName
    transports: Annotated[list[_Transport], Meta(max_length=len(TRANSPORTS))]
    verifies_user: Annotated[bool, Meta(examples=[True])]
    is_backed_up: bool
    last_used_at: datetime | None
    created_at: datetime
    updated_at: datetime
    version: Version


class PasskeyWithCodes(PasskeyRead):
    """A new passkey. The first second factor of a user comes with recovery codes, which are not shown again."""

    recovery_codes: RecoveryCodeList


class PasskeyPage(Page[PasskeyRead], frozen=True, kw_only=True):
    """The passkeys of a user; 20 at most."""


class CredentialDescriptor(Output):
    """`PublicKeyCredentialDescriptorJSON`"""

    id: CredentialId
    type: Literal["public-key"]
    transports: Annotated[list[_Transport], Meta(max_length=len(TRANSPORTS))]


_Challenge = Annotated[
    _Bytes, Meta(max_length=100, description="Good for five minutes, once.", examples=["fZ3vW2mXl0kq9yqk3bJm1A"])
]
_Domain = Annotated[str, Meta(max_length=255, examples=["example.com"])]
_Timeout = Annotated[int, Meta(ge=0, le=3_600_000, description="In milliseconds.", examples=[300_000])]
_Descriptors = Annotated[list[CredentialDescriptor], Meta(max_length=MAX_PASSKEYS)]
Requirement = Annotated[
    Literal["required", "preferred", "discouraged"],
    Meta(title="PasskeyRequirement", description="How much WebAuthn wants it."),
]


class RelyingPartyEntity(Output):
    """`PublicKeyCredentialRpEntity`"""

    id: _Domain
    name: Annotated[str, Meta(max_length=100, examples=["Example"])]


class UserEntity(Output, rename="camel"):
    """`PublicKeyCredentialUserEntityJSON`. The id says nothing of the user."""

    id: Annotated[_Bytes, Meta(max_length=100, examples=["V1y7IYjmVfOKuWIEgdQh8w"])]
    name: Annotated[str, Meta(max_length=254, examples=["ada@example.com"])]
    display_name: Annotated[str, Meta(max_length=254, examples=["Ada Lovelace"])]


class KeyParameters(Output):
    """`PublicKeyCredentialParameters`"""

    type: Literal["public-key"]
    alg: Annotated[int, Meta(ge=-65_535, le=0, examples=[-7], description="Of COSE.")]


class AuthenticatorSelection(Output, rename="camel"):
    """`AuthenticatorSelectionCriteria`"""

    resident_key: Requirement
    user_verification: Requirement


class CreationOptions(Output, rename="camel"):
    """Give it to `PublicKeyCredential.parseCreationOptionsFromJSON()` as it is."""

    rp: RelyingPartyEntity
    user: UserEntity
    challenge: _Challenge
    pub_key_cred_params: Annotated[list[KeyParameters], Meta(max_length=10)]
    timeout: _Timeout
    exclude_credentials: _Descriptors
    authenticator_selection: AuthenticatorSelection
    attestation: Literal["none"]


class RequestOptions(Output, rename="camel"):
    """Give it to `PublicKeyCredential.parseRequestOptionsFromJSON()` as it is."""

    challenge: _Challenge
    timeout: _Timeout
    rp_id: _Domain
    allow_credentials: _Descriptors
    user_verification: Requirement
