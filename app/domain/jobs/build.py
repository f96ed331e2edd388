from app.core import Core
from app.domain.jobs.services import EventFeed


def build(core: Core) -> None:
    """The list of events, of all domains."""
    core.services.add(EventFeed(kind for domain in core.domains for kind in domain.webhook_kinds))
