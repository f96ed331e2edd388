"""Asks for a passkey, and verifies what its authenticator answers."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from uuid import UUID

from app.domain.auth.dtos.passkeys import Assertion, CredentialDescriptor, RequestOptions, Requirement
from app.domain.auth.errors import NoPasskey
from app.domain.auth.repositories.passkeys import (
    IS_THERE,
    KNOWN_CREDENTIALS,
    PASSKEY,
    USE_CHALLENGE,
    USE_PASSKEY,
    PasskeyRow,
)
from app.lib import audit
from app.lib.audit import Origin
from app.lib.clock import utc_now
from app.lib.db.engine import Database
from app.lib.db.reader import Reader
from app.lib.db.uow import UnitOfWork
from app.lib.security.authenticator_data import from_base64url
from app.lib.security.relying_party import CHALLENGE_LIFE, Challenge, Challenges, InvalidPasskey, KeyUse, RelyingParty
from app.lib.wire import base64url

TIMEOUT = int(CHALLENGE_LIFE.total_seconds() * 1000)


class Ceremony(StrEnum):
    """What a challenge is for. Each is bound to a session or a token; that of a sign-in to nothing."""

    ENROLMENT = "enrolment"
    SIGN_IN = "sign_in"
    SECOND_FACTOR = "second_factor"
    REAUTHENTICATION = "reauthentication"


_VERIFICATION: Mapping[Ceremony, Requirement] = {
    Ceremony.SIGN_IN: "required",
    Ceremony.SECOND_FACTOR: "discouraged",
    Ceremony.REAUTHENTICATION: "preferred",
}


def user_handle(user_id: UUID) -> bytes:
    """What authenticators know a user by. Ids of users are public, and this does not lead back to them."""
    return sha256(b"passkeys of a user\n" + user_id.bytes).digest()


@dataclass
class PasskeyVerifier:
    """Asks for passkeys, and verifies the answers."""

    database: Database
    reader: Reader
    party: RelyingParty
    challenges: Challenges
    origin: Origin

    async def options(self, ceremony: Ceremony, bound_to: bytes, user_id: UUID | None = None) -> RequestOptions:
        """For the passkeys of a user, or for any that its authenticator finds by itself. Raises ``NoPasskey``."""
        known = await self.known(user_id) if user_id else []
        if user_id and not known:
            raise NoPasskey
        return RequestOptions(
            challenge=self.challenges.new(ceremony, bound_to),
            timeout=TIMEOUT,
            rp_id=self.party.id,
            allow_credentials=known,
            user_verification=_VERIFICATION[ceremony],
        )

    async def known(self, user_id: UUID) -> list[CredentialDescriptor]:
        """The passkeys of a user, for the browser."""
        return [
            CredentialDescriptor(
                id=base64url.encode(each.credential_id),
                type="public-key",
                transports=each.transports,
            )
            for each in await self.reader.all(KNOWN_CREDENTIALS, user_id=user_id)
        ]

    async def verify(
        self,
        answer: Assertion,
        ceremony: Ceremony,
        bound_to: bytes,
        user_id: UUID | None = None,
        *,
        needs_verification: bool,
    ) -> PasskeyRow:
        """The passkey that has answered, and its user. ``needs_verification`` where the password was not given as well.

        Call it before the unit has written: the use is kept although the request may be refused.
        Raises ``InvalidPasskey``.
        """
        response = answer.response
        challenge = self.challenges.read(response.client_data_json, ceremony, bound_to)
        found = await self.reader.first(PASSKEY, credential_id=from_base64url(answer.id))
        if found is None or user_id not in {None, found.user_id}:
            raise InvalidPasskey
        if response.user_handle is None:
            is_theirs = ceremony is not Ceremony.SIGN_IN
        else:
            is_theirs = from_base64url(response.user_handle) == user_handle(found.user_id)
        if not is_theirs:
            raise InvalidPasskey
        use = self.party.verify_use(
            challenge,
            found.public_key,
            client_data=response.client_data_json,
            authenticator_data=response.authenticator_data,
            signature=response.signature,
            needs_verification=needs_verification,
        )
        await self._use(found, challenge, use)
        return found

    async def _use(self, found: PasskeyRow, challenge: Challenge, use: KeyUse) -> None:
        async with self.database.independent() as unit:
            if not await use_challenge(unit, challenge):
                raise InvalidPasskey
            values = {"passkey_id": found.id, "new_sign_count": use.sign_count, "backed_up": use.is_backed_up}
            is_original = await unit.execute(USE_PASSKEY, **values, now=utc_now()) == 1
            # One that was deleted in this moment is refused like any that is not known.
            if not is_original and await unit.first(IS_THERE, passkey_id=found.id):
                await audit.record(
                    unit, "passkey.cloned", self.origin, subject_id=found.user_id, passkey_id=str(found.id)
                )
        if not is_original:
            raise InvalidPasskey


async def use_challenge(unit: UnitOfWork, challenge: Challenge) -> bool:
    """Uses a challenge up, for exactly one of many who try."""
    digest = sha256(challenge.value).digest()
    return await unit.execute(USE_CHALLENGE, digest=digest, expires_at=challenge.expires_at) == 1
