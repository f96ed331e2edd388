"""Passkeys (WebAuthn). Options go to the browser as they are, and what it makes comes back as it is."""

from uuid import UUID

from litestar import Controller, Response, delete, get, patch, post
from litestar.params import FromPath, JSONBody

from app.domain.accounts.errors import WrongCurrentPassword
from app.domain.auth.dtos.passkeys import (
    CreationOptions,
    MfaPasskey,
    MfaTokenOnly,
    PasskeyCreate,
    PasskeyPage,
    PasskeyRead,
    PasskeyReauthentication,
    PasskeyUpdate,
    PasskeyUse,
    PasskeyWithCodes,
    RequestOptions,
)
from app.domain.auth.dtos.sessions import SessionRead, TokenPair
from app.domain.auth.errors import AccountInactive, LastWayIn, NoPasskey, PasskeyRefused, PasskeyTaken, TooManyPasskeys
from app.domain.auth.services.passkey_sign_in import PasskeySignInService
from app.domain.auth.services.passkeys import PasskeyQueries, PasskeyService
from app.lib.http.injection import Caller, Injected, Paging, Precondition
from app.lib.http.locations import created
from app.lib.openapi.document import may_raise
from app.lib.ratelimit.routes import rate_limit
from app.lib.security.policies import OPEN_TO_DEBTORS, public, recently_authenticated, signed_in
from app.lib.wire.dto import StructDTO

_FOR_BROWSERS = (
    "`PublicKeyCredential.parseRequestOptionsFromJSON(answer)` makes of it the `publicKey` that "
    "`navigator.credentials.get` takes."
)
_FROM_BROWSERS = "`credential` is what `navigator.credentials.get` gave, as `JSON.stringify` writes it."


class PasskeyController(Controller):
    path = "/users/me/passkeys"
    tags = ("Users",)
    return_dto = StructDTO[PasskeyRead]

    @post(
        "/options",
        guards=[recently_authenticated],
        return_dto=StructDTO[CreationOptions],
        status_code=200,
        summary="Get the options for a new passkey",
        description=(
            "`PublicKeyCredential.parseCreationOptionsFromJSON(answer)` makes of it the `publicKey` that "
            "`navigator.credentials.create` takes."
        ),
        opt=OPEN_TO_DEBTORS,
    )
    async def get_passkey_creation_options(
        self, principal: Caller, passkeys: Injected[PasskeyService]
    ) -> CreationOptions:
        return await passkeys.options(principal)

    @post(
        guards=[recently_authenticated],
        dto=StructDTO[PasskeyCreate],
        return_dto=StructDTO[PasskeyWithCodes],
        summary="Create a passkey",
        description=(
            "`credential` is what `navigator.credentials.create` gave, as `JSON.stringify` writes it. A sign-in with "
            "the password asks for a second factor from now on. Your first one comes with recovery codes, which only "
            "this answer has. Ends your other sessions."
        ),
        opt=may_raise(PasskeyTaken, TooManyPasskeys) | OPEN_TO_DEBTORS,
    )
    async def create_passkey(
        self, data: JSONBody[PasskeyCreate], principal: Caller, passkeys: Injected[PasskeyService]
    ) -> Response[PasskeyWithCodes]:
        passkey = await passkeys.create(data, principal)
        return created(passkey, f"/api/v1/users/me/passkeys/{passkey.id}")

    @get(
        guards=[signed_in],
        return_dto=StructDTO[PasskeyPage],
        summary="List your passkeys",
        description="Their names, when they were made and last used.",
        opt=OPEN_TO_DEBTORS,
    )
    async def list_passkeys(
        self, passkey_queries: Injected[PasskeyQueries], principal: Caller, paging: Paging
    ) -> PasskeyPage:
        return await passkey_queries.list(paging, principal)

    @get(
        "/{passkey_id:uuid}",
        guards=[signed_in],
        summary="Get a passkey",
        description="One of your own passkeys; its key is never shown.",
    )
    async def get_passkey(
        self, passkey_id: FromPath[UUID], passkey_queries: Injected[PasskeyQueries], principal: Caller
    ) -> PasskeyRead:
        return await passkey_queries.get(passkey_id, principal)

    @patch(
        "/{passkey_id:uuid}",
        guards=[signed_in],
        dto=StructDTO[PasskeyUpdate],
        summary="Rename a passkey",
        description="The name is for you alone, so that you know which device it is.",
    )
    async def update_passkey(
        self,
        passkey_id: FromPath[UUID],
        data: JSONBody[PasskeyUpdate],
        passkeys: Injected[PasskeyService],
        principal: Caller,
        if_match: Precondition,
    ) -> PasskeyRead:
        return await passkeys.update(passkey_id, data, if_match, principal)

    @delete(
        "/{passkey_id:uuid}",
        guards=[recently_authenticated],
        summary="Delete a passkey",
        description="Not the last way to sign in. Ends your other sessions.",
        opt=may_raise(LastWayIn),
    )
    async def delete_passkey(
        self, passkey_id: FromPath[UUID], passkeys: Injected[PasskeyService], principal: Caller, if_match: Precondition
    ) -> None:
        await passkeys.delete(passkey_id, if_match, principal)


class PasskeySignInController(Controller):
    path = "/auth"
    tags = ("Auth",)

    @post(
        "/passkeys/options",
        guards=[public, rate_limit("auth")],
        return_dto=StructDTO[RequestOptions],
        status_code=200,
        summary="Get the options for a sign-in with a passkey",
        description=f"No account is named: the authenticator knows it. {_FOR_BROWSERS}",
    )
    async def get_passkey_sign_in_options(self, passkey_sign_in: Injected[PasskeySignInService]) -> RequestOptions:
        return await passkey_sign_in.options()

    @post(
        "/passkeys/login",
        guards=[public, rate_limit("auth")],
        dto=StructDTO[PasskeyUse],
        return_dto=StructDTO[TokenPair],
        status_code=200,
        summary="Sign in with a passkey",
        description=(
            "Without a password and without a second factor, because the authenticator verifies its user. "
            f"{_FROM_BROWSERS}"
        ),
        opt=may_raise(PasskeyRefused, AccountInactive),
    )
    async def sign_in_with_passkey(
        self, data: JSONBody[PasskeyUse], passkey_sign_in: Injected[PasskeySignInService]
    ) -> TokenPair:
        return await passkey_sign_in.sign_in(data.credential)

    @post(
        "/login/mfa/passkey-options",
        guards=[public, rate_limit("auth")],
        dto=StructDTO[MfaTokenOnly],
        return_dto=StructDTO[RequestOptions],
        status_code=200,
        summary="Get the options for a passkey as the second factor",
        description=_FOR_BROWSERS,
        opt=may_raise(NoPasskey),
    )
    async def get_passkey_second_factor_options(
        self, data: JSONBody[MfaTokenOnly], passkey_sign_in: Injected[PasskeySignInService]
    ) -> RequestOptions:
        return await passkey_sign_in.second_step_options(data.mfa_token)

    @post(
        "/login/mfa/passkey",
        guards=[public, rate_limit("auth")],
        dto=StructDTO[MfaPasskey],
        return_dto=StructDTO[TokenPair],
        status_code=200,
        summary="Sign in with a passkey as the second factor",
        description=(
            "The second step, within 5 minutes and 5 tries after a sign-in was answered with `mfa_required`. "
            f"{_FROM_BROWSERS}"
        ),
    )
    async def sign_in_with_passkey_as_second_factor(
        self, data: JSONBody[MfaPasskey], passkey_sign_in: Injected[PasskeySignInService]
    ) -> TokenPair:
        return await passkey_sign_in.second_step(data)

    @post(
        "/reauthenticate/passkey-options",
        guards=[signed_in],
        return_dto=StructDTO[RequestOptions],
        status_code=200,
        summary="Get the options for confirming your passkey",
        description=_FOR_BROWSERS,
        opt=may_raise(NoPasskey) | OPEN_TO_DEBTORS,
    )
    async def get_passkey_reauthentication_options(
        self, principal: Caller, passkey_sign_in: Injected[PasskeySignInService]
    ) -> RequestOptions:
        return await passkey_sign_in.reauthentication_options(principal)

    @post(
        "/reauthenticate/passkey",
        guards=[signed_in, rate_limit("auth")],
        dto=StructDTO[PasskeyReauthentication],
        return_dto=StructDTO[SessionRead],
        status_code=200,
        summary="Confirm your passkey",
        description=(
            "Sensitive acts (403 `reauth_required`) are possible in this session for the next 10 minutes. A passkey "
            f"without `verifies_user` needs your password as well. {_FROM_BROWSERS}"
        ),
        opt=may_raise(WrongCurrentPassword) | OPEN_TO_DEBTORS,
    )
    async def reauthenticate_with_passkey(
        self,
        data: JSONBody[PasskeyReauthentication],
        principal: Caller,
        passkey_sign_in: Injected[PasskeySignInService],
    ) -> SessionRead:
        return await passkey_sign_in.reauthenticate(data, principal)
