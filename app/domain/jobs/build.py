from app.core import Core
from app.domain.jobs.services import Retention
from app.domain.jobs.settings import JobSettings


def build(core: Core) -> None:
    """How long jobs and events are kept."""
    settings = core.settings.section(JobSettings)
    retention = Retention(
        finished_days=settings.jobs_retention_days,
        dead_days=settings.jobs_dead_retention_days,
        event_days=settings.events_retention_days,
    )
    core.services.add(retention)
