"""What the OpenAPI document says about the service as a whole: the manual, and what the domains declare."""

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from app.core import API, VERSION, Core
from app.domain.system.settings import SystemSettings
from app.lib.domain import Domain, collect_error_codes
from app.lib.openapi.document import DocumentInfo

_IN_WHEEL = Path(__file__).parent / "static" / "api.md"
_FILE = _IN_WHEEL if _IN_WHEEL.is_file() else Path(__file__).parents[3] / "docs" / "api.md"
MANUAL = _FILE.read_text(encoding="utf-8")
"""For callers of the API."""


def document_info(core: Core) -> DocumentInfo:
    """From the settings and what the domains declare."""
    settings = core.services.get(SystemSettings)
    _title, _, text = MANUAL.partition("\n\n")
    return DocumentInfo(
        title=core.settings.product_name,
        version=VERSION,
        description="\n\n".join([text.strip(), *core.declared("notes")]),
        token_url=f"{API}/auth/login",
        base_path=core.settings.address.path,
        contact_url=str(settings.api_contact_url) if settings.api_contact_url else None,
        contact_email=settings.api_contact_email,
        tags=tuple(core.declared("tags")),
        tag_groups=_groups(core.domains),
        error_codes=collect_error_codes(core.domains),
    )


def _groups(domains: Iterable[Domain]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for domain in domains:
        groups[domain.tag_group or "Others"] += [name for name, _ in domain.tags]
    return tuple((name, tuple(tags)) for name, tags in groups.items() if tags)
