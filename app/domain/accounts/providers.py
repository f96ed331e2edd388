"""Dependencies of the controllers of accounts and of the domains above."""

from litestar.di import Provide

from app.domain.accounts.repositories import AccountReads
from app.domain.accounts.services.passwords import CredentialService, OwnPasswordService, Passwords
from app.domain.accounts.services.profiles import ProfileService
from app.domain.accounts.services.queries import AccountQueries
from app.domain.accounts.services.roles import PermissionRegistry, RoleService
from app.domain.accounts.services.users import UserService
from app.lib.audit import Origin
from app.lib.db.engine import Database
from app.lib.db.reader import Reader
from app.lib.db.uow import UnitOfWork
from app.lib.events import Events
from app.lib.http.injection import Injected
from app.lib.pagination.cursor import CursorCodec
from app.lib.ratelimit.throttle import Throttle


async def provide_account_reads(reader: Injected[Reader], cursors: Injected[CursorCodec]) -> AccountReads:
    return AccountReads(reader, cursors)


async def provide_account_queries(account_reads: Injected[AccountReads]) -> AccountQueries:
    return AccountQueries(account_reads)


async def provide_users(
    unit: Injected[UnitOfWork], passwords: Injected[Passwords], events: Injected[Events], origin: Injected[Origin]
) -> UserService:
    return UserService(unit, passwords, events, origin)


async def provide_credentials(
    unit: Injected[UnitOfWork],
    account_reads: Injected[AccountReads],
    passwords: Injected[Passwords],
    events: Injected[Events],
    origin: Injected[Origin],
) -> CredentialService:
    return CredentialService(unit, account_reads, passwords, events, origin)


async def provide_own_password(
    credentials: Injected[CredentialService],
    account_reads: Injected[AccountReads],
    passwords: Injected[Passwords],
    sign_in_throttle: Injected[Throttle],
    database: Injected[Database],
    origin: Injected[Origin],
) -> OwnPasswordService:
    return OwnPasswordService(credentials, account_reads, passwords, sign_in_throttle, database, origin)


async def provide_profiles(unit: Injected[UnitOfWork], events: Injected[Events]) -> ProfileService:
    return ProfileService(unit, events)


async def provide_roles(
    unit: Injected[UnitOfWork],
    permission_registry: Injected[PermissionRegistry],
    events: Injected[Events],
    origin: Injected[Origin],
) -> RoleService:
    return RoleService(unit, permission_registry, events, origin)


PROVIDERS = {
    "own_password": Provide(provide_own_password),
    "profiles": Provide(provide_profiles),
    "roles": Provide(provide_roles),
}
SHARED_PROVIDERS = {
    "account_reads": Provide(provide_account_reads),
    "accounts": Provide(provide_account_queries),
    "users": Provide(provide_users),
    "credentials": Provide(provide_credentials),
}
