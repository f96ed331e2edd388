"""Health, metrics and problem pages."""

from app.domain.system.controllers import health, list_problems, live, ready, show_metrics, show_problem
from app.domain.system.permissions import PERMISSIONS
from app.lib.domain import Domain

system = Domain(
    name="system",
    root_handlers=(health, live, ready, show_metrics, show_problem, list_problems),
    permissions=PERMISSIONS,
    tags=(("System", "Probes for operators."),),
)
