"""What commands that use the database or the app share."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from app.asgi import DOMAINS, MIGRATIONS
from app.background import events_of
from app.cli.errors import CommandFailed, DatabaseUnusable, MissingOrTaken
from app.components import Components
from app.config import load_settings, with_secret_key
from app.domain.accounts.repositories import AccountReads
from app.domain.accounts.services.passwords import CredentialService
from app.domain.accounts.services.profiles import ProfileService
from app.domain.accounts.services.roles import RoleService
from app.domain.accounts.services.users import UserService
from app.domain.catalog.services.products import ProductService
from app.domain.orders.services.pay import PaymentService
from app.domain.orders.services.place import PlaceService
from app.domain.posts.services.posts import PostService
from app.lib.audit import SYSTEM
from app.lib.db.engine import Database
from app.lib.db.faults import DATABASE_ERRORS, driver_error, sqlstate, to_app_error
from app.lib.db.migrations import Migrations, applied_revision
from app.lib.db.uow import UnitOfWork
from app.lib.db.url import DatabaseURL
from app.lib.domain import collect_permissions
from app.lib.errors import AppError, FieldError, Unavailable

T = TypeVar("T")

_MISSING_OR_TAKEN = {404, 409}
_ERRORS: tuple[type[Exception], ...] = (*DATABASE_ERRORS, AppError, OSError)


class Office:
    """Services for an operator: accounts, posts, and what a shop is filled with; all in one unit of work, audited as
    the system.
    """

    def __init__(self, components: Components, unit: UnitOfWork) -> None:
        events = events_of(components, DOMAINS, {})
        self.unit = unit
        self.reads = AccountReads(components.database.reader, components.cursors)
        self.users = UserService(unit, components.passwords, events, SYSTEM)
        self.credentials = CredentialService(unit, self.reads, components.passwords, events, SYSTEM)
        self.profiles = ProfileService(unit, events)
        self.posts = PostService(unit, events, SYSTEM)
        self.roles = RoleService(unit, collect_permissions(DOMAINS), events, SYSTEM)
        self.products = ProductService(unit, SYSTEM)
        self.payments = PaymentService(components.database, components.payment_provider, events)
        self.place_service = PlaceService(
            unit, events, expire_after=timedelta(minutes=components.settings.order_expire_minutes)
        )


@asynccontextmanager
async def office(components: Components) -> AsyncGenerator[Office]:
    """Committed at the end, or not at all."""
    async with components.database.independent() as unit:
        yield Office(components, unit)


def run(work: Callable[[Components], Awaitable[T]]) -> T:
    """Runs a command's work on a migrated database. Raises ``CommandFailed`` when it, or the database, refuses."""
    settings = with_secret_key(load_settings()[0])

    async def main() -> T:
        components = Components(settings)
        await components.start()
        try:
            if not await schema_is_current(components.database):
                raise CommandFailed("The database schema is not up to date.", "Run 'app db upgrade'.")
            return await work(components)
        finally:
            await components.close()

    with database_errors(settings.database):
        return asyncio.run(main())


async def schema_is_current(database: Database) -> bool:
    """Whether the database is at the head of the migrations. Raises when it cannot be reached."""
    if is_missing(database.url):
        return False
    try:
        revision = await applied_revision(database.reader)
    except DATABASE_ERRORS as exc:
        if "alembic_version" not in str(exc):
            raise
        revision = None
    return revision == Migrations(database.url, MIGRATIONS).head


def is_missing(url: DatabaseURL) -> bool:
    """Whether this is an SQLite file that is not there. To look at it would make it."""
    return url.is_sqlite and not Path(url.url.database or "").exists()


@contextmanager
def database_errors(url: DatabaseURL) -> Generator[None]:
    """Turns what the database, or a service, raises into ``CommandFailed``."""
    try:
        yield
    except _ERRORS as exc:
        error = exc if isinstance(exc, AppError) else to_app_error(exc)
        cause = driver_error(exc)
        if isinstance(error, Unavailable) or isinstance(cause, OSError) or _is_turned_away(cause):
            reason = str(cause).partition("\n")[0]
            message = f"The database {url.masked} cannot be used: {reason}."
            raise DatabaseUnusable(message, "Check DATABASE_URL and that the database runs.") from exc
        if error is None:
            raise
        raise _refused(error) from exc


def _is_turned_away(cause: BaseException) -> bool:
    """Whether PostgreSQL does not know the user, the password or the database."""
    return (sqlstate(cause) or "")[:2] in {"28", "3D"}


def _refused(error: AppError) -> CommandFailed:
    kind = MissingOrTaken if error.status in _MISSING_OR_TAKEN else CommandFailed
    return kind(" ".join(_field(field) for field in error.errors) or error.detail)


def _field(field: FieldError) -> str:
    name = (field.pointer or "").rpartition("/")[2] or field.parameter or "value"
    return f"{name}: {field.detail}"
