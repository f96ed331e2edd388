"""Health, metrics, documentation and problem pages."""

from app.domain.system.build import build
from app.domain.system.controllers import get_health, get_liveness, get_metrics, get_readiness
from app.domain.system.jobs import JOBS
from app.domain.system.permissions import PERMISSIONS
from app.domain.system.problem_pages import get_problem, list_problems
from app.domain.system.settings import SystemSettings
from app.lib.domain import Domain

system = Domain(
    name="system",
    settings=SystemSettings,
    build=build,
    root_handlers=(get_health, get_liveness, get_readiness, get_metrics, get_problem, list_problems),
    permissions=PERMISSIONS,
    jobs=JOBS,
    tags=(("System", "Probes for operators."),),
)
