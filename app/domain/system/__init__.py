"""Health, metrics, documentation and problem pages."""

from pathlib import Path

from app.domain.system.build import build
from app.domain.system.controllers import get_health, get_liveness, get_metrics, get_readiness
from app.domain.system.home import get_home
from app.domain.system.jobs import JOBS
from app.domain.system.permissions import PERMISSIONS
from app.domain.system.problem_pages import get_problem, list_problems
from app.domain.system.settings import SystemSettings
from app.lib.domain import Domain, Link

PROBES = (get_health, get_liveness, get_readiness, get_metrics)
"""Handlers for those who watch a process."""

system = Domain(
    name="system",
    settings=SystemSettings,
    build=build,
    root_handlers=(get_home, *PROBES, get_problem, list_problems),
    permissions=PERMISSIONS,
    mail_templates=(Path(__file__).parent / "templates",),
    links=(
        Link("docs", "API documentation"),
        Link("docs_swagger", "API documentation (Swagger UI)"),
        Link("openapi", "OpenAPI document"),
        Link("problems", "Problems that the API answers with"),
        Link("health", "Health"),
    ),
    tag_group="Operations",
    jobs=JOBS,
    tags=(("System", "Probes for operators."),),
)
