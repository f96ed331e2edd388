"""Whether this worker should get traffic."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Literal

import structlog

from app.lib.db.faults import DATABASE_ERRORS
from app.lib.db.migrations import applied_revision
from app.lib.db.reader import Reader
from app.lib.dto import Output
from app.lib.errors import Unavailable

log = structlog.get_logger(__name__)

CHECK_SECONDS = 3.0
_FAILURES: tuple[type[Exception], ...] = (*DATABASE_ERRORS, OSError, Unavailable)


class Check(Output):
    """One thing that the service needs; ``hint`` says what to do where it fails."""

    name: str
    status: Literal["ok", "failed"]
    hint: str | None


class ReadinessReport(Output):
    """Whether the service should get traffic, and if not, why."""

    status: Literal["ready", "not_ready"]
    checks: list[Check]


class Readiness:
    """Asks the database, its migration head, the counters' store, and whether the process is on its way out."""

    def __init__(
        self,
        reader: Reader,
        head: str | None,
        is_draining: Callable[[], bool],
        redis: Callable[[], Awaitable[bool]] | None = None,
    ) -> None:
        self._reader = reader
        self._head = head
        self._is_draining = is_draining
        self._redis = redis

    async def report(self) -> ReadinessReport:
        """Never raises: what fails is in the report."""
        checks = [await self._check_database()]
        if self._redis is not None:
            checks.append(await self._check_redis(self._redis))
        if self._is_draining():
            checks.append(Check(name="draining", status="failed", hint="The server is shutting down."))
        ready = all(check.status == "ok" for check in checks)
        return ReadinessReport(status="ready" if ready else "not_ready", checks=checks)

    async def _check_database(self) -> Check:
        try:
            revision = await asyncio.wait_for(applied_revision(self._reader), CHECK_SECONDS)
        except _FAILURES as exc:
            if "alembic_version" not in str(exc):
                log.warning("readiness.database", error=type(exc).__name__)
                return Check(name="database", status="failed", hint="The database cannot be reached.")
            revision = None
        if revision != self._head:
            return Check(name="database", status="failed", hint="The schema is not up to date: run 'app db upgrade'.")
        return Check(name="database", status="ok", hint=None)

    async def _check_redis(self, ping: Callable[[], Awaitable[bool]]) -> Check:
        try:
            ok = await asyncio.wait_for(ping(), CHECK_SECONDS)
        except Exception as exc:  # noqa: BLE001 - whatever a client library raises, it is not ready
            log.warning("readiness.redis", error=type(exc).__name__)
            ok = False
        hint = None if ok else "Redis (REDIS_URL) cannot be reached."
        return Check(name="redis", status="ok" if ok else "failed", hint=hint)
