"""Health, metrics and problem pages."""

from app.domain.system.controllers import get_metrics, get_problem, health, list_problems, live, ready
from app.domain.system.permissions import PERMISSIONS
from app.lib.domain import Domain

system = Domain(
    name="system",
    root_handlers=(health, live, ready, get_metrics, get_problem, list_problems),
    permissions=PERMISSIONS,
    tags=(("System", "Probes for operators."),),
)
