from litestar.di import Provide

from app.config import Settings
from app.domain.accounts.repositories import AccountReads
from app.domain.accounts.services.passwords import CredentialService, Passwords
from app.domain.accounts.services.users import UserService
from app.domain.auth.repositories import SessionReads
from app.domain.auth.services.registration import RegistrationService
from app.domain.auth.services.sessions import SessionService
from app.domain.auth.services.sign_in import SignInService
from app.domain.auth.services.tokens import TokenIssuer
from app.lib.audit import Origin
from app.lib.db.engine import Database
from app.lib.db.reader import Reader
from app.lib.db.uow import UnitOfWork
from app.lib.events import Events
from app.lib.http.injection import Injected
from app.lib.ratelimit.throttle import Throttle


async def provide_registration(
    unit: Injected[UnitOfWork],
    users: Injected[UserService],
    account_reads: Injected[AccountReads],
    registration_throttle: Injected[Throttle],
    events: Injected[Events],
    origin: Injected[Origin],
) -> RegistrationService:
    return RegistrationService(
        unit=unit, users=users, reads=account_reads, throttle=registration_throttle, events=events, origin=origin
    )


async def provide_sign_in(
    settings: Injected[Settings],
    unit: Injected[UnitOfWork],
    database: Injected[Database],
    reader: Injected[Reader],
    account_reads: Injected[AccountReads],
    passwords: Injected[Passwords],
    credentials: Injected[CredentialService],
    sign_in_throttle: Injected[Throttle],
    token_issuer: Injected[TokenIssuer],
    origin: Injected[Origin],
) -> SignInService:
    return SignInService(
        unit=unit,
        database=database,
        reads=account_reads,
        session_reads=SessionReads(reader),
        passwords=passwords,
        credentials=credentials,
        throttle=sign_in_throttle,
        issuer=token_issuer,
        origin=origin,
        require_verified=settings.require_verified_email,
    )


async def provide_sessions(
    unit: Injected[UnitOfWork],
    database: Injected[Database],
    token_issuer: Injected[TokenIssuer],
    events: Injected[Events],
    origin: Injected[Origin],
) -> SessionService:
    return SessionService(unit, database, token_issuer, events, origin)


PROVIDERS = {
    "registration": Provide(provide_registration),
    "sign_in": Provide(provide_sign_in),
    "sessions": Provide(provide_sessions),
}
