"""Denials in the audit log: who tried what they have no right to."""

import time
from collections import OrderedDict
from typing import Any

import structlog
from litestar import Request
from litestar.types import Scope

from app.lib import audit
from app.lib.audit import provide_origin
from app.lib.db.engine import Database
from app.lib.db.faults import DATABASE_ERRORS
from app.lib.errors import AppError

QUIET_SECONDS = 60.0
_MAX_REMEMBERED = 10_000

log = structlog.get_logger(__name__)


class DenialLog:
    """Records each caller's denials on a route once a minute and process, so that nobody can fill the log with them.

    A row is committed in a transaction of its own before the refusal is sent. The refusal is sent all the same when
    the database cannot take it; the service's log then says so.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._recent: OrderedDict[tuple[object, ...], float] = OrderedDict()

    async def __call__(self, scope: Scope, denial: AppError) -> None:
        """Records one denial."""
        origin = await provide_origin(Request(scope))
        method, route = str(scope.get("method")), str(scope.get("path_template"))
        if not self._is_news((origin.actor_id, method, route)):
            return
        try:
            async with self._database.independent() as unit:
                await audit.record(
                    unit.session, "access.denied", origin, method=method, route=route, reason=type(denial).__name__
                )
        except DATABASE_ERRORS as exc:
            log.warning("denial.unrecorded", error=type(exc).__name__, route=route, user_id=str(origin.actor_id))

    def _is_news(self, what: tuple[Any, ...]) -> bool:
        now = time.monotonic()
        last = self._recent.get(what)
        if last is not None and now - last < QUIET_SECONDS:
            return False
        self._recent[what] = now
        self._recent.move_to_end(what)
        if len(self._recent) > _MAX_REMEMBERED:
            self._recent.popitem(last=False)
        return True
