"""Jobs and events as operators see them, and the clean-up of the service's own tables."""

from app.domain.jobs.audit import AUDIT_KINDS
from app.domain.jobs.build import build
from app.domain.jobs.controllers import JobController, list_events
from app.domain.jobs.jobs import JOBS
from app.domain.jobs.permissions import PERMISSIONS
from app.domain.jobs.settings import JobSettings
from app.domain.jobs.steps import STEPS
from app.lib.domain import Domain

jobs = Domain(
    name="jobs",
    settings=JobSettings,
    build=build,
    controllers=(JobController, list_events),
    audit_kinds=AUDIT_KINDS,
    permissions=PERMISSIONS,
    jobs=JOBS,
    steps=STEPS,
    tag_group="Operations",
    tags=(
        ("Jobs", "Work in the background, for operators."),
        ("Events", "What happened, deletions included, for systems that keep a copy."),
    ),
)
