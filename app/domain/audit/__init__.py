"""The audit log as operators and users see it, and how long it is kept."""

from app.domain.audit.build import build
from app.domain.audit.controllers import list_audit_log, list_security_events
from app.domain.audit.exports import EXPORTS
from app.domain.audit.jobs import JOBS
from app.domain.audit.permissions import PERMISSIONS
from app.domain.audit.settings import AuditSettings
from app.lib.audit.denials import DENIED
from app.lib.audit.retention import DROPPED
from app.lib.domain import Domain

audit = Domain(
    name="audit",
    exports=EXPORTS,
    settings=AuditSettings,
    build=build,
    controllers=(list_audit_log, list_security_events),
    permissions=PERMISSIONS,
    audit_kinds=(DENIED, DROPPED),
    jobs=JOBS,
    tag_group="Operations",
    tags=(("Audit log", "Who did what to whom, from where and when."),),
)
