from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial
from pkgutil import resolve_name
from platform import python_version

from app.core import VERSION, Core
from app.domain.system.controllers import get_openapi
from app.domain.system.docs_pages import docs_router
from app.domain.system.document import document_info
from app.domain.system.readiness import Readiness
from app.domain.system.settings import SystemSettings
from app.lib.db.gauges import FileGauges, PoolGauges
from app.lib.db.spans import traced_statements
from app.lib.observability.metrics import BuildInfo
from app.lib.observability.tracing import endpoint
from app.lib.openapi.document import OAUTH2
from app.lib.text import product_token


def build(core: Core) -> None:
    """The probe of readiness, metrics, what the document says, traces and reports of errors where these are
    configured, and the documentation pages unless ``DOCS=off``.
    """
    settings = core.settings
    redis = core.redis.check if core.redis is not None else None
    core.services.add(Readiness(core.database.reader, core.migrations.history, core.draining.turns_away, redis))
    core.services.add(document_info(core))
    database = "sqlite" if settings.database.is_sqlite else "postgresql"
    core.metrics.share(BuildInfo(version=VERSION, python=python_version(), database=database))
    core.metrics.add(PoolGauges(core.database))
    file = FileGauges(settings.database)
    core.metrics.share(file, file.refresh)
    name = product_token(settings.product_name).lower()
    if endpoint():
        about = {"service.name": name, "service.version": VERSION, "deployment.environment.name": settings.environment}
        core.lifespans.append(partial(_traced, core, about))
    if (dsn := core.services.get(SystemSettings).sentry_dsn) is not None:
        core.lifespans.append(partial(_reporting, dsn.reveal(), f"{name}@{VERSION}", settings.environment))
    if settings.docs == "public":
        core.handlers += [docs_router(title=f"{settings.product_name} API", security_scheme=OAUTH2), get_openapi]


# Libraries are loaded only here, and in the process that uses them, because their threads do not survive a fork.
@asynccontextmanager
async def _traced(core: Core, about: dict[str, str]) -> AsyncGenerator[None]:
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(resolve_name("app.lib.observability.opentelemetry:tracing")(about))
        for database in {core.database, core.job_database}:
            stack.enter_context(traced_statements(database))
        yield


def _reporting(*about: str) -> AbstractAsyncContextManager[None]:
    reporting: Callable[..., AbstractAsyncContextManager[None]] = resolve_name("app.lib.observability.sentry:reporting")
    return reporting(*about)
