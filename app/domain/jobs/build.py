from app.core import Core
from app.domain.jobs.settings import JobSettings


def build(core: Core) -> None:
    """The settings, for the jobs that remove old rows."""
    core.services.add(core.settings.section(JobSettings))
