"""Whether this worker should get traffic."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Literal

import msgspec
import structlog
from msgspec import Meta

from app.lib.db.faults import DATABASE_ERRORS
from app.lib.db.migrations import VERSION_TABLE, applied_revision
from app.lib.db.reader import Reader
from app.lib.errors import Unavailable
from app.lib.wire.dto import Output

log = structlog.get_logger(__name__)

CHECK_SECONDS = 3.0
_NOT_MIGRATED = "The schema is not up to date: run 'app db upgrade'."
_FAILURES: tuple[type[Exception], ...] = (*DATABASE_ERRORS, OSError, Unavailable)


class Check(Output):
    """One thing that the service needs; ``hint`` says what to do where it fails."""

    name: Annotated[str, Meta(max_length=20, examples=["database"])]
    status: Literal["ok", "failed"]
    hint: Annotated[str, Meta(max_length=200)] | None


class ReadinessReport(Output):
    """The service may get traffic."""

    status: Literal["ready"]
    checks: Annotated[list[Check], Meta(max_length=10)]


class NotReady(Unavailable):
    """The service should get no traffic; ``checks`` says what of it fails, and what to do."""

    def __init__(self, checks: Sequence[Check]) -> None:
        super().__init__(" ".join(check.hint for check in checks if check.hint is not None))
        self.extensions = {"checks": msgspec.to_builtins(checks)}


class Readiness:
    """Asks the database, its migrations, the counters' store, and whether the process is on its way out.

    ``history`` is every revision that the code knows, the newest first. A revision that it does not know is one of a
    newer release: the schema is migrated before the last old process is gone, and those have to go on serving.
    """

    def __init__(
        self,
        reader: Reader,
        history: Sequence[str],
        is_draining: Callable[[], bool],
        redis: Callable[[], Awaitable[bool]] | None = None,
    ) -> None:
        self._reader = reader
        self._outdated = frozenset(history[1:])
        self._is_draining = is_draining
        self._redis = redis

    async def report(self) -> ReadinessReport:
        """Raises ``NotReady``, with all that fails."""
        checks = [await self._check_database()]
        if self._redis is not None:
            checks.append(await self._check_redis(self._redis))
        if self._is_draining():
            checks.append(_failed("draining", "The server is shutting down."))
        if any(check.status == "failed" for check in checks):
            raise NotReady(checks)
        return ReadinessReport(status="ready", checks=checks)

    async def _check_database(self) -> Check:
        try:
            revision = await asyncio.wait_for(applied_revision(self._reader), CHECK_SECONDS)
        except _FAILURES as exc:
            log.warning("readiness.database", error=type(exc).__name__)
            if VERSION_TABLE in str(exc):
                return _failed("database", _NOT_MIGRATED)
            if getattr(exc, "sqlite_errorname", None) == "SQLITE_CANTOPEN":
                hint = "The database file cannot be opened: run 'app db upgrade' to make it, or check who may read it."
                return _failed("database", hint)
            return _failed("database", "The database cannot be reached.")
        if revision is None or revision in self._outdated:
            return _failed("database", _NOT_MIGRATED)
        return Check(name="database", status="ok", hint=None)

    async def _check_redis(self, ping: Callable[[], Awaitable[bool]]) -> Check:
        try:
            ok = await asyncio.wait_for(ping(), CHECK_SECONDS)
        except Exception as exc:  # noqa: BLE001 - after any error of a client library, it is not ready
            log.warning("readiness.redis", error=type(exc).__name__)
            ok = False
        return Check(name="redis", status="ok", hint=None) if ok else _failed("redis", "Redis cannot be reached.")


def _failed(name: str, hint: str) -> Check:
    return Check(name=name, status="failed", hint=hint)
