from platform import python_version

from app.core import VERSION, Core
from app.domain.system.controllers import get_openapi
from app.domain.system.docs_pages import docs_router
from app.domain.system.document import document_info
from app.domain.system.readiness import Readiness
from app.lib.db.gauges import FileGauges, PoolGauges
from app.lib.observability.metrics import BuildInfo
from app.lib.openapi.document import OAUTH2


def build(core: Core) -> None:
    """The probe of readiness, metrics, what the document says and, unless ``DOCS=off``, the documentation pages."""
    redis = core.redis.check if core.redis is not None else None
    core.services.add(Readiness(core.database.reader, core.migrations.history, core.draining.turns_away, redis))
    core.services.add(document_info(core))
    database = "sqlite" if core.settings.database.is_sqlite else "postgresql"
    core.metrics.share(BuildInfo(version=VERSION, python=python_version(), database=database))
    core.metrics.add(PoolGauges(core.database))
    file = FileGauges(core.settings.database)
    core.metrics.share(file, file.refresh)
    if core.settings.docs == "public":
        core.handlers += [docs_router(title=f"{core.settings.product_name} API", security_scheme=OAUTH2), get_openapi]
