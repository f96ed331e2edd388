"""Whether this worker should get traffic."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Literal

import msgspec
import structlog
from msgspec import Meta

from app.lib.db.faults import DATABASE_ERRORS
from app.lib.db.migrations import VERSION_TABLE, History, SchemaState, schema_state
from app.lib.db.reader import Reader
from app.lib.errors import Unavailable
from app.lib.wire.dto import Output

log = structlog.get_logger(__name__)

CHECK_SECONDS = 3.0
KEPT_SECONDS = 1.0
_FAILURES: tuple[type[Exception], ...] = (*DATABASE_ERRORS, OSError, Unavailable)


class Check(Output):
    """One thing that the service needs; ``hint`` says what to do where it fails."""

    name: Annotated[str, Meta(max_length=20, examples=["database"])]
    status: Annotated[Literal["ok", "failed"], Meta(title="CheckStatus", description="Whether it works.")]
    hint: Annotated[str, Meta(max_length=200)] | None


class ReadinessReport(Output):
    """The service may get traffic. ``degraded`` when something fails that requests can do without."""

    status: Annotated[
        Literal["ready", "degraded"], Meta(title="ReadinessStatus", description="Whether everything works.")
    ]
    checks: Annotated[list[Check], Meta(max_length=10)]


class NotReady(Unavailable):
    """The service should get no traffic; ``checks`` says what of it fails, and what to do."""

    def __init__(self, checks: Sequence[Check]) -> None:
        super().__init__(" ".join(check.hint for check in checks if check.hint is not None))
        self.extensions = {"checks": msgspec.to_builtins(checks)}


class Readiness:
    """Asks the database, its migrations, the counters' store, and whether the process is on its way out.

    A newer schema is ready where it can be: it is migrated before the last old process is gone, and those have to go on
    serving. Answers are kept for a second, because anyone may ask, and each costs a query.
    """

    def __init__(
        self,
        reader: Reader,
        history: History,
        is_draining: Callable[[], bool],
        redis: Callable[[], Awaitable[bool]] | None = None,
    ) -> None:
        self._reader = reader
        self._history = history
        self._is_draining = is_draining
        self._redis = redis
        self._own: dict[str, Callable[[], str | None]] = {}
        self._hints: dict[str, str | None] = {}
        self._ask_again_at = 0.0
        self._asking = asyncio.Lock()

    def require(self, name: str, fault: Callable[[], str | None]) -> None:
        """Adds what else this process needs: ``fault`` says at once what is wrong with it."""
        self._own[name] = fault

    async def report(self) -> ReadinessReport:
        """Raises ``NotReady``, with all that fails. Without Redis only hints to other processes are lost, and limits
        are counted per process.
        """
        async with self._asking:
            if time.monotonic() >= self._ask_again_at:
                self._hints = {"database": await self._database_fault()}
                if self._redis is not None:
                    self._hints["redis"] = await self._redis_fault(self._redis)
                self._ask_again_at = time.monotonic() + KEPT_SECONDS
        hints = self._hints | {name: fault() for name, fault in self._own.items()}
        hints |= {"draining": "The server is shutting down."} if self._is_draining() else {}
        checks = [Check(name=name, status="failed" if hint else "ok", hint=hint) for name, hint in hints.items()]
        failed = {name for name, hint in hints.items() if hint is not None}
        if failed - {"redis"}:
            raise NotReady(checks)
        return ReadinessReport(status="degraded" if failed else "ready", checks=checks)

    async def _database_fault(self) -> str | None:
        try:
            state = await asyncio.wait_for(schema_state(self._reader, self._history), CHECK_SECONDS)
        except _FAILURES as exc:
            log.warning("readiness.database", error=type(exc).__name__)
            if VERSION_TABLE in str(exc):
                return SchemaState.BEHIND.value
            if getattr(exc, "sqlite_errorname", None) == "SQLITE_CANTOPEN":
                return "The database file cannot be opened: run 'app db upgrade' to make it, or check who may read it."
            return "The database cannot be reached."
        return None if state.is_usable else state.value

    async def _redis_fault(self, ping: Callable[[], Awaitable[bool]]) -> str | None:
        try:
            is_there = await asyncio.wait_for(ping(), CHECK_SECONDS)
        except Exception as exc:  # noqa: BLE001 - after any error of a client library, it is not ready
            log.warning("readiness.redis", error=type(exc).__name__)
            is_there = False
        return None if is_there else "Redis cannot be reached."
