from dataclasses import dataclass
from uuid import UUID

from app.domain.accounts.rows import CredentialRow
from app.domain.accounts.services.queries import AccountQueries
from app.domain.auth.dtos.mfa import MfaSignIn
from app.domain.auth.dtos.sessions import TokenPair
from app.domain.auth.errors import InvalidMfaToken
from app.domain.auth.repositories.mfa_tokens import MFA_TOKEN, TAKE_TRY, USE_TOKEN, MfaTokenRow
from app.domain.auth.services.entry import EntryService
from app.domain.auth.services.second_factors import SecondFactorService
from app.lib.clock import utc_now
from app.lib.db.engine import Database
from app.lib.db.reader import Reader
from app.lib.db.uow import UnitOfWork
from app.lib.security.opaque import digest


@dataclass
class MfaSignInService:
    """The second step of a sign-in that was answered with ``mfa_required``."""

    unit: UnitOfWork
    database: Database
    reader: Reader
    accounts: AccountQueries
    factors: SecondFactorService
    entry: EntryService

    async def sign_in(self, data: MfaSignIn) -> TokenPair:
        """Opens the session, by a code. Raises ``InvalidMfaToken``, ``WrongCode`` or ``RateLimited``."""
        row, user = await self.take_try(data.mfa_token)
        factor = await self.factors.use(user.id, data.code)
        return await self.finish(data.mfa_token, row, user, factor)

    async def find_user(self, token: str) -> UUID:
        """Whose sign-in it is; takes no try. Raises ``InvalidMfaToken``."""
        return (await self.reader.one(MFA_TOKEN, InvalidMfaToken, digest=digest(token), now=utc_now())).user_id

    async def take_try(self, token: str) -> tuple[MfaTokenRow, CredentialRow]:
        """Whose sign-in it is, as long as nothing of the user has changed since. Raises ``InvalidMfaToken``."""
        async with self.database.independent() as unit:
            row = await unit.first(TAKE_TRY, digest=digest(token), now=utc_now())
        user = await self.accounts.find_credentials_of(row.user_id) if row else None
        if row is None or user is None or not user.is_active or digest(user.password_hash) != row.password_digest:
            raise InvalidMfaToken
        return row, user

    async def finish(self, token: str, row: MfaTokenRow, user: CredentialRow, factor: str) -> TokenPair:
        """Opens the session once the second factor was shown. Raises ``InvalidMfaToken`` where it was used already."""
        if not await self.unit.execute(USE_TOKEN, digest=digest(token)):
            raise InvalidMfaToken
        pair = await self.entry.enter(user.id, user.password_hash, way=f"{row.way}+{factor}", is_strong=True)
        if pair is None:
            raise InvalidMfaToken
        return pair
