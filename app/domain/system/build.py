from app.core import Core
from app.domain.system.controllers import get_openapi
from app.domain.system.docs_pages import docs_router
from app.domain.system.document import document_info
from app.domain.system.readiness import Readiness
from app.lib.openapi.document import OAUTH2


def build(core: Core) -> None:
    """The probe of readiness, what the document says and, unless ``DOCS=off``, the documentation pages."""
    redis = core.redis.check if core.redis is not None else None
    core.services.add(Readiness(core.database.reader, core.migrations.history, core.draining.is_set, redis))
    core.services.add(document_info(core))
    if core.settings.docs == "public":
        core.handlers += [docs_router(title=f"{core.settings.product_name} API", security_scheme=OAUTH2), get_openapi]
