"""The passkeys of a user: enrolment, names, deletion. Their use is in ``passkey_use.py``."""

from dataclasses import dataclass
from uuid import UUID

import msgspec

from app.domain.accounts.services.queries import AccountQueries
from app.domain.auth.dtos.passkeys import (
    MAX_PASSKEYS,
    TRANSPORTS,
    AuthenticatorSelection,
    CreationOptions,
    KeyParameters,
    PasskeyCreate,
    PasskeyPage,
    PasskeyRead,
    PasskeyUpdate,
    PasskeyWithCodes,
    RelyingPartyEntity,
    UserEntity,
)
from app.domain.auth.errors import PasskeyNotFound, TooManyPasskeys, WrongPasskey
from app.domain.auth.events import FactorChange
from app.domain.auth.models import Passkey
from app.domain.auth.repositories.passkeys import (
    COUNT_OF,
    OWN_PASSKEY,
    OWN_PASSKEYS,
    PasskeyRepository,
)
from app.domain.auth.services.passkey_use import TIMEOUT, Ceremony, PasskeyVerifier, use_challenge, user_handle
from app.domain.auth.services.second_factors import SecondFactorService
from app.domain.auth.services.ways_in import check_ways_in
from app.lib.db.base import new_id
from app.lib.db.reader import Reader
from app.lib.db.uow import UnitOfWork
from app.lib.db.versions import IfMatch
from app.lib.events import Events
from app.lib.pagination.cursor import CursorCodec
from app.lib.pagination.paginate import page_of
from app.lib.pagination.parameters import PageRequest
from app.lib.security.principal import Principal
from app.lib.security.relying_party import ALGORITHMS, Challenges, InvalidPasskey, RelyingParty
from app.lib.wire import base64url
from app.lib.wire.dto import project


@dataclass
class PasskeyService:
    """Adds, renames and deletes the passkeys of a user."""

    unit: UnitOfWork
    accounts: AccountQueries
    verifier: PasskeyVerifier
    party: RelyingParty
    challenges: Challenges
    factors: SecondFactorService
    events: Events
    _passkeys: PasskeyRepository

    async def options(self, actor: Principal) -> CreationOptions:
        """What a browser needs to make a passkey. Authenticators that cannot verify their user are welcome: theirs is
        a second factor. Raises ``AccountGone``.
        """
        user = await self.accounts.get_credentials(actor.user_id)
        return CreationOptions(
            rp=RelyingPartyEntity(id=self.party.id, name=self.party.name),
            user=UserEntity(
                id=base64url.encode(user_handle(user.id)), name=user.email, display_name=user.name or user.email
            ),
            challenge=self.challenges.new(Ceremony.ENROLMENT, actor.session_id.bytes),
            pub_key_cred_params=[KeyParameters(type="public-key", alg=each) for each in ALGORITHMS],
            timeout=TIMEOUT,
            exclude_credentials=await self.verifier.known(user.id),
            authenticator_selection=AuthenticatorSelection(resident_key="preferred", user_verification="preferred"),
            attestation="none",
        )

    async def create(self, data: PasskeyCreate, actor: Principal) -> PasskeyWithCodes:
        """Raises ``WrongPasskey``, ``TooManyPasskeys`` or ``PasskeyTaken``."""
        response, user_id = data.credential.response, actor.user_id
        try:
            challenge = self.challenges.read(response.client_data_json, Ceremony.ENROLMENT, actor.session_id.bytes)
            key = self.party.verify_new(
                challenge, client_data=response.client_data_json, attestation_object=response.attestation_object
            )
        except InvalidPasskey:
            raise WrongPasskey from None
        await self.factors.lock(actor)
        if not await use_challenge(self.unit, challenge):
            raise WrongPasskey
        if (await self.unit.first(COUNT_OF, user_id=user_id) or 0) >= MAX_PASSKEYS:
            raise TooManyPasskeys(MAX_PASSKEYS)
        transports = sorted({*response.transports} & {*TRANSPORTS})
        passkey = Passkey(
            id=new_id(),
            user_id=user_id,
            **msgspec.structs.asdict(key),
            name=data.name,
            transports=",".join(transports),
            last_used_at=None,
        )
        await self._passkeys.create(passkey)
        codes = (await self.factors.added(FactorChange.PASSKEY_ADDED, actor)).recovery_codes
        return project(PasskeyWithCodes, passkey, transports=transports, recovery_codes=codes)

    async def update(self, passkey_id: UUID, data: PasskeyUpdate, if_match: IfMatch, actor: Principal) -> PasskeyRead:
        """Raises ``PasskeyNotFound`` or ``PreconditionFailed``."""
        passkey = await self._own_for_update(passkey_id, if_match, actor)
        await self._passkeys.update(passkey, data)
        return project(PasskeyRead, passkey, transports=[each for each in passkey.transports.split(",") if each])

    async def delete(self, passkey_id: UUID, if_match: IfMatch, actor: Principal) -> None:
        """Raises ``PasskeyNotFound``, ``PreconditionFailed`` or ``LastWayIn``."""
        await self.factors.lock(actor)
        passkey = await self._own_for_update(passkey_id, if_match, actor)
        await self._passkeys.delete(passkey)
        await check_ways_in(self.unit, self.events, actor.user_id)
        await self.factors.removed(FactorChange.PASSKEY_REMOVED, actor)

    async def _own_for_update(self, passkey_id: UUID, if_match: IfMatch, actor: Principal) -> Passkey:
        return await self._passkeys.get_for_update(passkey_id, if_match, Passkey.user_id == actor.user_id)


@dataclass
class PasskeyQueries:
    """What users are shown of their own passkeys; reads only."""

    reader: Reader
    cursors: CursorCodec

    async def list(self, paging: PageRequest, viewer: Principal) -> PasskeyPage:
        """The newest first."""
        own = await self.reader.all(OWN_PASSKEYS, user_id=viewer.user_id)
        return page_of(PasskeyPage, "passkeys", own, paging, self.cursors)

    async def get(self, passkey_id: UUID, viewer: Principal) -> PasskeyRead:
        """Raises ``PasskeyNotFound``."""
        return await self.reader.one(OWN_PASSKEY, PasskeyNotFound, user_id=viewer.user_id, passkey_id=passkey_id)
