"""One attempt of one job: decode, run within its time, and say what is to become of it."""

import asyncio
import math
import time
from collections.abc import Callable

import msgspec
import structlog
from structlog.contextvars import bind_contextvars, clear_contextvars

from app.lib.db.engine import Database
from app.lib.jobs.context import JobContext, Services
from app.lib.jobs.declaration import GiveUp, Job, Registry, RetryLater
from app.lib.jobs.queue import ClaimedJob, Ending, Outcome

log = structlog.stdlib.get_logger(__name__)

_LONGEST_WAIT = 30 * 86_400.0

Observe = Callable[[str, str, float], None]
"""Told of each attempt: the job's name, how it ended, and the seconds it took."""


class Executor:
    """Runs claimed jobs. Must only be given jobs that the registry has."""

    def __init__(self, registry: Registry, database: Database, services: Services, observe: Observe) -> None:
        self.registry = registry
        self._database = database
        self._services = services
        self._observe = observe

    async def run(self, claimed: ClaimedJob) -> Outcome:
        """The outcome of one attempt. Raises ``CancelledError`` when the worker has to go, and nothing else."""
        # In a task of its own, so nothing of one job stays for the next.
        clear_contextvars()
        bind_contextvars(request_id=claimed.request_id, job=claimed.name, job_id=str(claimed.id))
        started = time.perf_counter()
        outcome = await self._attempt(self.registry[claimed.name], claimed)
        seconds = time.perf_counter() - started
        self._observe(claimed.name, outcome.ending.value, seconds)
        if outcome.ending is Ending.DONE:
            log.info("job.done", attempt=claimed.attempts, seconds=round(seconds, 6))
        return outcome

    async def _attempt(self, declared: Job[msgspec.Struct], claimed: ClaimedJob) -> Outcome:
        try:
            payload = declared.decode(claimed.payload)
        except msgspec.MsgspecError as exc:  # what cannot be read today cannot be read tomorrow
            return self._failed(declared, claimed, exc, final=True)
        limit = asyncio.timeout(declared.timeout)
        try:
            async with limit:
                await declared.run(payload, self._context(declared, claimed))
        except GiveUp as exc:
            return self._failed(declared, claimed, exc, final=True)
        except RetryLater as exc:
            return self._failed(declared, claimed, exc, wait=exc.seconds)
        except asyncio.CancelledError as exc:
            if _is_cancelled():
                raise
            return self._failed(declared, claimed, exc)  # something that the job waited for was cancelled, not the job
        except Exception as exc:  # noqa: BLE001 - whatever it is, the job is what failed
            return self._failed(declared, claimed, exc, timed_out=limit.expired())
        return Outcome(handle=claimed.handle, ending=Ending.DONE)

    def _context(self, declared: Job[msgspec.Struct], claimed: ClaimedJob) -> JobContext:
        return JobContext(
            job_id=claimed.id,
            name=claimed.name,
            attempt=claimed.attempts,
            is_last_attempt=claimed.attempts >= declared.retry.attempts,
            request_id=claimed.request_id,
            database=self._database,
            services=self._services,
        )

    def _failed(
        self,
        declared: Job[msgspec.Struct],
        claimed: ClaimedJob,
        exc: BaseException,
        *,
        final: bool = False,
        wait: float | None = None,
        timed_out: bool = False,
    ) -> Outcome:
        kind = "TimedOut" if timed_out else type(exc).__name__
        text = f"Not done after {declared.timeout:g} seconds." if timed_out else _text_of(exc)
        dead = final or claimed.attempts >= declared.retry.attempts
        seconds = 0.0 if dead else declared.retry.wait_after(claimed.attempts) if wait is None else _bounded(wait)
        if dead:
            log.error("job.dead", attempt=claimed.attempts, error=kind, exc_info=exc)
        else:
            log.warning("job.failed", attempt=claimed.attempts, error=kind, again_in=round(seconds, 3), exc_info=exc)
        return Outcome(
            handle=claimed.handle,
            ending=Ending.DEAD if dead else Ending.RETRY,
            wait_seconds=seconds,
            error_kind=kind[:100],
            error=text,
        )


def _text_of(exc: BaseException) -> str:
    """What both databases can store: an outcome that cannot be written would hold up all others."""
    try:
        text = str(exc)
    except Exception:  # noqa: BLE001 - an error that cannot even say what it is
        text = ""
    return text.replace("\0", "\\0").encode(errors="backslashreplace").decode()


def _bounded(seconds: float) -> float:
    return min(max(seconds, 0.0), _LONGEST_WAIT) if math.isfinite(seconds) else _LONGEST_WAIT


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
