"""``app jobs``: what waits, runs and failed, by the same rules as over HTTP."""

from datetime import datetime
from uuid import UUID

import click

from app.cli.options import json_option, show_instant, write_json, write_list
from app.cli.runtime import run
from app.components import Components
from app.domain.jobs.dtos import JobDetail, JobRead, ScheduleRead
from app.domain.jobs.repositories import JobReads
from app.domain.jobs.services import DAY, JobQueries, JobService
from app.lib.audit import SYSTEM
from app.lib.jobs.operations import FINISHED, JobOperations
from app.lib.jobs.tables import JobStatus
from app.lib.pagination.parameters import PageRequest

_STATUSES = click.Choice([status.value for status in JobStatus])
_kind_option = click.option("--kind", help="Only jobs of this kind.")


@click.group()
def jobs() -> None:
    """List background jobs, run them again, cancel and remove them."""


@jobs.command("list")
@click.option("--status", type=_STATUSES, help="Only jobs in this state.")
@_kind_option
@click.option("--limit", type=click.IntRange(1, 100), default=50, show_default=True, help="How many, newest first.")
@json_option
def list_jobs(status: str | None, kind: str | None, limit: int, *, as_json: bool) -> None:
    """List jobs, newest first, without what they hold."""

    async def work(components: Components) -> list[JobRead]:
        filters = {"status": [JobStatus(status)] if status else None, "kind": [kind] if kind else None}
        request = PageRequest(page_size=limit, include_total=False)
        return list((await _reads(components).jobs(request, None, filters)).items)

    found = run(work)
    header = ("ID", "KIND", "STATUS", "ATTEMPTS", "CREATED", "RUN AT", "ERROR")
    write_list(found, header, _row, as_json=as_json)


@jobs.command()
@click.argument("job_id", type=click.UUID)
@json_option
def show(job_id: UUID, *, as_json: bool) -> None:
    """Show a job and what it holds, which may be personal data."""

    async def work(components: Components) -> JobDetail:
        return await JobQueries(_reads(components)).job(job_id)

    found = run(work)
    if as_json:
        write_json(found)
        return
    for name in found.__struct_fields__:
        value = getattr(found, name)
        click.echo(
            f"{name:<12} {show_instant(value) if isinstance(value, datetime) else '' if value is None else value}"
        )


@jobs.command()
@click.argument("job_id", type=click.UUID, required=False)
@click.option("--all-dead", is_flag=True, help="All dead jobs, instead of one job.")
@_kind_option
def retry(job_id: UUID | None, kind: str | None, *, all_dead: bool) -> None:
    """Run a dead or cancelled job again, or with --all-dead all dead ones."""
    if all_dead == (job_id is not None):
        raise click.UsageError("Name a job, or say --all-dead.")

    async def work(components: Components) -> int:
        async with components.database.independent() as unit:
            if job_id is None:
                return await JobOperations(unit).retry_dead(kind)
            await JobService(unit, SYSTEM).retry(job_id)
            return 1

    click.echo(f"{_jobs(run(work))} will run again.")


@jobs.command()
@click.argument("job_id", type=click.UUID)
def cancel(job_id: UUID) -> None:
    """Cancel a job that waits or runs."""

    async def work(components: Components) -> None:
        async with components.database.independent() as unit:
            await JobService(unit, SYSTEM).cancel(job_id)

    run(work)
    click.echo(f"Job {job_id} is cancelled.")


@jobs.command()
@click.option("--older-than", type=click.FloatRange(0), required=True, help="Days since they were finished.")
@click.option(
    "--status",
    type=click.Choice([status.value for status in FINISHED]),
    multiple=True,
    default=("done", "cancelled"),
    show_default=True,
    help="In these states; repeat for several.",
)
def purge(older_than: float, status: tuple[str, ...]) -> None:
    """Remove finished jobs. The service does so by itself after JOBS_RETENTION_DAYS."""

    async def work(components: Components) -> int:
        count = 0
        while True:
            async with components.database.independent() as unit:
                removed = await JobOperations(unit).purge([JobStatus(each) for each in status], older_than * DAY)
            count += removed
            if not removed:
                return count

    click.echo(f"{_jobs(run(work))} removed.")


@jobs.command()
@json_option
def schedules(*, as_json: bool) -> None:
    """List what runs by itself, and when it runs next."""
    found = run(lambda components: _reads(components).schedules())
    write_list(found, ("JOB", "SCHEDULE (UTC)", "NEXT", "LAST"), _schedule_row, as_json=as_json)


def _reads(components: Components) -> JobReads:
    return JobReads(components.database.reader, components.cursors)


def _row(job: JobRead) -> tuple[str, ...]:
    created, run_at = show_instant(job.created_at), show_instant(job.run_at)
    return (str(job.id), job.kind, job.status, str(job.attempts), created, run_at, job.error_kind or "")


def _schedule_row(schedule: ScheduleRead) -> tuple[str, ...]:
    last = show_instant(schedule.last_at) if schedule.last_at else "never"
    return (schedule.name, schedule.spec, show_instant(schedule.next_at), last)


def _jobs(count: int) -> str:
    return "1 job" if count == 1 else f"{count} jobs"
