"""What the OpenAPI document says about the service as a whole."""

from app.core import API, VERSION, Core
from app.domain.system.settings import SystemSettings
from app.lib.domain import collect_error_codes
from app.lib.openapi.document import DocumentInfo


def document_info(core: Core) -> DocumentInfo:
    """From the settings and what the domains declare."""
    settings = core.services.get(SystemSettings)
    return DocumentInfo(
        title=core.settings.product_name,
        version=VERSION,
        description=" ".join(["Errors are problem details (RFC 9457).", *core.declared("notes")]),
        token_url=f"{API}/auth/login",
        base_path=core.settings.address.path,
        contact_url=str(settings.api_contact_url) if settings.api_contact_url else None,
        contact_email=settings.api_contact_email,
        tags=tuple(core.declared("tags")),
        error_codes=collect_error_codes(core.domains),
    )
