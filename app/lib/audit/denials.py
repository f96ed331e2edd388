"""Denials in the audit log: who tried to do what they have no right to do."""

import time
from collections import OrderedDict
from typing import Any

import structlog
from litestar import Request
from litestar.types import Scope

from app.lib.audit.kinds import AuditKind, declare
from app.lib.audit.records import provide_origin, record
from app.lib.db.engine import Database
from app.lib.db.faults import DATABASE_ERRORS
from app.lib.errors import AppError

DENIED = AuditKind("access.denied", "A caller tried what they have no right to do.", is_own=True, by_strangers=True)
declare(DENIED)
QUIET_SECONDS = 60.0
_MAX_REMEMBERED = 10_000

log = structlog.get_logger(__name__)


class DenialLog:
    """Records each caller's denials on a route once a minute in each process, so that no caller can fill the log.

    A row is committed in its own transaction before the refusal is sent. The refusal is also sent when the database
    cannot take the row; the service's log then says so.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._recent: OrderedDict[tuple[object, ...], float] = OrderedDict()

    async def __call__(self, scope: Scope, denial: AppError) -> None:
        origin = await provide_origin(Request(scope))
        method, route = str(scope.get("method")), str(scope.get("path_template"))
        what, now = (origin.actor_id, *denial.audited.values(), method, route), time.monotonic()
        if now - self._recent.get(what, -QUIET_SECONDS) < QUIET_SECONDS:
            return
        self._recent[what] = now
        self._recent.move_to_end(what)
        if len(self._recent) > _MAX_REMEMBERED:
            self._recent.popitem(last=False)
        try:
            async with self._database.independent() as unit:
                details: dict[str, Any] = {"subject_id": origin.actor_id, **denial.audited}
                reason = type(denial).__name__
                await record(unit, DENIED.name, origin, method=method, route=route, reason=reason, **details)
        except DATABASE_ERRORS as exc:
            log.warning("denial.unrecorded", error=type(exc).__name__, route=route, user_id=str(origin.actor_id))
