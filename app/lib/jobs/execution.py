"""One attempt of one job: decode, run within its time, and say how it ended."""

import asyncio
import math
import time
from collections.abc import Callable

import msgspec
import structlog
from structlog.contextvars import bind_contextvars, clear_contextvars

from app.lib.db.engine import Database
from app.lib.db.faults import to_app_error
from app.lib.errors import Unavailable
from app.lib.jobs.declaration import GiveUp, Job, JobContext, Postpone, Registry, RetryLater
from app.lib.jobs.queue import ClaimedJob, Ending, Outcome
from app.lib.observability.masking import mask
from app.lib.observability.repeats import log_once
from app.lib.observability.tracing import FAILURE, Attributes, span
from app.lib.services import Services

log = structlog.stdlib.get_logger(__name__)

_LONGEST_WAIT = 30 * 86_400.0

Observe = Callable[[str, str, float], None]
"""Called after each attempt with the job's name, how it ended, and the seconds it took."""


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
        with span("consumer", f"process {claimed.name}", _attributes(claimed), claimed.trace_context) as found:
            outcome = await self._attempt(self.registry[claimed.name], claimed)
            found["job.outcome"] = outcome.ending.value
            if outcome.error_kind is not None:
                found[FAILURE] = outcome.error_kind
            seconds = time.perf_counter() - started
            self._observe(claimed.name, outcome.ending.value, seconds)
            if outcome.ending in {Ending.SUCCEEDED, Ending.IDLE}:
                write = log.info if outcome.ending is Ending.SUCCEEDED else log.debug
                write("job.succeeded", attempt=claimed.attempts, seconds=round(seconds, 6))
        return outcome

    async def _attempt(self, declared: Job[msgspec.Struct], claimed: ClaimedJob) -> Outcome:
        context = JobContext(
            job_id=claimed.id,
            name=claimed.name,
            attempt=claimed.attempts,
            is_last_attempt=claimed.attempts >= declared.retry.attempts,
            request_id=claimed.request_id,
            database=self._database,
            services=self._services,
        )
        try:
            payload = declared.decode(claimed.payload)
        except msgspec.MsgspecError as exc:  # what cannot be read today cannot be read tomorrow
            return _failed(declared, context, exc, final=True)
        limit = asyncio.timeout(declared.timeout)
        try:
            async with limit:
                done = await declared.run(payload, context)
        except Postpone as exc:
            return Outcome(job_id=claimed.id, ending=Ending.POSTPONED, wait_seconds=_bounded(exc.seconds))
        except asyncio.CancelledError as exc:
            task = asyncio.current_task()
            if task is not None and task.cancelling() > 0:
                raise
            return _failed(declared, context, exc)  # something that the job waited for was cancelled, not the job
        except Exception as exc:  # noqa: BLE001 - any exception is the job's
            return _failed(declared, context, exc, timed_out=limit.expired())
        is_idle = done == 0 and declared.schedule is not None
        return Outcome(job_id=claimed.id, ending=Ending.IDLE if is_idle else Ending.SUCCEEDED)


def _attributes(claimed: ClaimedJob) -> Attributes:
    return {
        "messaging.system": "jobs",
        "messaging.operation.type": "process",
        "messaging.destination.name": claimed.name,
        "messaging.message.id": str(claimed.id),
        "job.attempt": claimed.attempts,
        "request_id": claimed.request_id or "",
    }


def _failed(
    declared: Job[msgspec.Struct],
    context: JobContext,
    exc: BaseException,
    *,
    final: bool = False,
    timed_out: bool = False,
) -> Outcome:
    kind = "TimedOut" if timed_out else type(exc).__name__
    text = f"Not done after {declared.timeout:g} seconds." if timed_out else _text_of(exc)
    if final or context.is_last_attempt or isinstance(exc, GiveUp):
        log_once(log.error, "job.failed", error=kind, of=declared.name, attempt=context.attempt, exc_info=exc)
        return Outcome(job_id=context.job_id, ending=Ending.FAILED, error_kind=kind[:100], error=text)
    asked = exc.seconds if isinstance(exc, RetryLater) else None
    seconds = declared.retry.wait_after(context.attempt) if asked is None else _bounded(asked)
    known = to_app_error(exc) if isinstance(exc, Exception) else None
    is_expected = asked is not None or isinstance(known, Unavailable)  # what is put off, or an outage: nothing to trace
    members = {"attempt": context.attempt, "again_in": round(seconds, 3), "reason": text[:200]}
    members |= {} if is_expected else {"exc_info": exc}
    log_once(log.warning, "job.attempt_failed", error=kind, of=declared.name, **members)
    return Outcome(job_id=context.job_id, ending=Ending.RETRY, wait_seconds=seconds, error_kind=kind[:100], error=text)


def _text_of(exc: BaseException) -> str:
    """What both databases can store: an outcome that cannot be written would hold up all others."""
    try:
        text = mask(str(exc))
    except Exception:  # noqa: BLE001 - an error that cannot even say what it is
        text = ""
    return text.replace("\0", "\\0").encode(errors="backslashreplace").decode()


def _bounded(seconds: float) -> float:
    return min(max(seconds, 0.0), _LONGEST_WAIT) if math.isfinite(seconds) else _LONGEST_WAIT
