"""Health, metrics, documentation and problem pages."""

from app.domain.system.build import build
from app.domain.system.controllers import (
    get_health,
    get_liveness,
    get_metrics,
    get_problem,
    get_readiness,
    list_problems,
)
from app.domain.system.permissions import PERMISSIONS
from app.domain.system.readiness import Readiness
from app.domain.system.settings import SystemSettings
from app.lib.domain import Domain
from app.lib.observability.metrics import Metrics

system = Domain(
    name="system",
    settings=SystemSettings,
    build=build,
    root_handlers=(get_health, get_liveness, get_readiness, get_metrics, get_problem, list_problems),
    services={"readiness": Readiness, "metrics": Metrics},
    permissions=PERMISSIONS,
    tags=(("System", "Probes for operators."),),
)
