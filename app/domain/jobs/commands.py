"""``app jobs`` and ``app events``: the queue and the stored events, by the same rules as over HTTP."""

from datetime import UTC, datetime
from uuid import UUID

import click

from app.core import Core
from app.domain.jobs.jobs import DAY
from app.domain.jobs.services import JobQueries, JobService
from app.lib.audit import SYSTEM
from app.lib.cli.errors import MissingOrTaken
from app.lib.cli.options import json_option, shown, write_json, write_list
from app.lib.cli.running import run
from app.lib.db.statements import BATCH
from app.lib.jobs.operations import FINISHED, JobOperations
from app.lib.jobs.tables import JobStatus
from app.lib.pagination.parameters import PageRequest

_JOB_COLUMNS = {
    "ID": "id",
    "KIND": "kind",
    "STATUS": "status",
    "ATTEMPTS": "attempts",
    "CREATED": "created_at",
    "RUN AT": "run_at",
    "ERROR": "error_kind",
}
_EVENT_COLUMNS = {
    "ID": "id",
    "KIND": "kind",
    "AGGREGATE": "aggregate_id",
    "VERSION": "aggregate_version",
    "CREATED": "created_at",
}
_STATUSES = click.Choice([status.value for status in JobStatus])
_LONGEST_DAYS = 36_525
_kind_option = click.option("--kind", help="Only jobs of this kind.")
_event_kind_option = click.option("--kind", help="Only events of this kind.")


@click.group()
def jobs() -> None:
    """List background jobs, run them again, cancel and remove them."""


@jobs.command("list")
@click.option("--status", type=_STATUSES, help="Only jobs in this state.")
@_kind_option
@click.option("--limit", type=click.IntRange(1, 100), default=50, show_default=True, help="How many, newest first.")
@json_option
def list_jobs(status: str | None, kind: str | None, limit: int, *, as_json: bool) -> None:
    """List jobs, newest first, without their payloads."""
    filters = {"status": [JobStatus(status)] if status else None, "kind": [kind] if kind else None}
    request = PageRequest(page_size=limit, include_total=False)
    page = run(lambda core: core.services.build(JobQueries).list_jobs(request, None, filters))
    write_list(page.items, _JOB_COLUMNS, as_json=as_json)


@jobs.command()
@click.argument("job_id", type=click.UUID)
@json_option
def show(job_id: UUID, *, as_json: bool) -> None:
    """Show a job and its payload, which may hold personal data."""
    found = run(lambda core: core.services.build(JobQueries).get_job(job_id))
    if as_json:
        write_json(found)
        return
    for name in found.__struct_fields__:
        click.echo(f"{name:<12} {shown(getattr(found, name))}")


@jobs.command()
@click.argument("job_id", type=click.UUID, required=False)
@click.option("--all-failed", is_flag=True, help="all failed jobs, instead of one job.")
@_kind_option
def retry(job_id: UUID | None, kind: str | None, *, all_failed: bool) -> None:
    """Run a failed or cancelled job again, or with --all-failed all failed ones."""
    if all_failed == (job_id is not None):
        raise click.UsageError("Name a job, or say --all-failed.")

    async def work(core: Core) -> int:
        if job_id is not None:
            async with core.database.independent() as unit:
                await core.services.build(JobService, unit, SYSTEM).retry(job_id)
            return 1
        count = again = BATCH
        while again == BATCH:
            async with core.database.independent() as unit:
                again = await JobOperations(unit).retry_failed(kind)
            count += again
        return count - BATCH

    click.echo(f"{_jobs(run(work))} will run again.")


@jobs.command()
@click.argument("job_id", type=click.UUID)
def cancel(job_id: UUID) -> None:
    """Cancel a job that waits or runs."""

    async def work(core: Core) -> None:
        async with core.database.independent() as unit:
            await core.services.build(JobService, unit, SYSTEM).cancel(job_id)

    run(work)
    click.echo(f"Job {job_id} is cancelled.")


def _check_days(_context: click.Context, _option: click.Parameter, days: float) -> float:
    """A range of click's would take NaN."""
    if not 0 <= days <= _LONGEST_DAYS:
        raise click.BadParameter(f"{days} is not in the range 0<=x<={_LONGEST_DAYS}.")
    return days


@jobs.command()
@click.option("--older-than", type=float, callback=_check_days, required=True, help="Days since they were finished.")
@click.option(
    "--status",
    type=click.Choice([status.value for status in FINISHED]),
    multiple=True,
    default=("succeeded", "cancelled"),
    show_default=True,
    help="In these states; repeat for several.",
)
def purge(older_than: float, status: tuple[str, ...]) -> None:
    """Remove finished jobs. The service does it after JOBS_RETENTION_DAYS."""

    async def work(core: Core) -> int:
        count = 0
        while True:
            async with core.database.independent() as unit:
                removed = await JobOperations(unit).purge([JobStatus(each) for each in status], older_than * DAY)
            count += removed
            if not removed:
                return count

    click.echo(f"{_jobs(run(work))} removed.")


@jobs.command()
@json_option
def schedules(*, as_json: bool) -> None:
    """List schedules, and when each runs next."""
    found = run(lambda core: core.services.build(JobQueries).list_schedules())
    columns = {"JOB": "name", "SCHEDULE (UTC)": "spec", "NEXT": "next_at", "LAST": "last_at"}
    write_list(found, columns, as_json=as_json, empty="never")


def _jobs(count: int) -> str:
    return "1 job" if count == 1 else f"{count} jobs"


@click.group()
def events() -> None:
    """List events, and feed them to a new listener."""


@events.command("list")
@_event_kind_option
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="How many, newest first.")
@json_option
def list_events(kind: str | None, limit: int, *, as_json: bool) -> None:
    """List events, newest first, without their contents."""
    found = run(lambda core: core.services.build(JobQueries).list_events(kind, limit))
    write_list(found, _EVENT_COLUMNS, as_json=as_json)


@events.command()
@click.option("--listener", required=True, help="The listener's name.")
@click.option("--since", type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]), help="Only events from then on, UTC.")
@_event_kind_option
def backfill(listener: str, since: datetime | None, kind: str | None) -> None:
    """Give a listener jobs for the events it has had none for. It may be interrupted and run again."""

    async def work(core: Core) -> int:
        start = since.replace(tzinfo=UTC) if since else None
        try:
            return await core.events.backfill(core.database, listener, since=start, kind=kind)
        except LookupError as exc:
            known = ", ".join(sorted(core.events.jobs)) or "none"
            raise MissingOrTaken(f"There is no listener {listener} for that.", f"Listeners: {known}.") from exc

    count = run(work)
    click.echo(f"{count} event{'' if count == 1 else 's'} will be given to {listener}.")
