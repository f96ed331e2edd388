"""The statements that run all day find what they look for by an index, however many finished jobs there are."""

from typing import Any

from sqlalchemy import Select, select, text, update

from app.lib.jobs import JobContext, enqueue_many, job
from app.lib.jobs.queue import due_jobs
from app.lib.jobs.tables import JobStatus, QueuedJob, in_status
from tests.lib.jobs.bench import Bench, Note


@job("test.note", Note)
async def take_note(_note: Note, _context: JobContext) -> None: ...


CLAIM = (
    select(QueuedJob.id)
    .where(in_status(JobStatus.PENDING), QueuedJob.run_at <= text("'2100-01-01'"), QueuedJob.name.in_(["test.note"]))
    .order_by(QueuedJob.run_at, QueuedJob.id)
    .limit(8)
)
STATEMENTS: dict[str, tuple[Select[Any], str]] = {
    "claim": (CLAIM, "ix_jobs_pending"),
    "due": (select(select(QueuedJob.id).where(*due_jobs(["test.note"])).exists()), "ix_jobs_pending"),
    "running": (select(QueuedJob.id, QueuedJob.beats).where(in_status(JobStatus.RUNNING)), "ix_jobs_running"),
    "failed": (select(QueuedJob.id).where(in_status(JobStatus.FAILED)), "ix_jobs_failed"),
}


async def test_an_index_serves_each_statement(bench: Bench) -> None:
    async with bench.database.independent() as unit:
        await enqueue_many(unit, [(take_note, Note())] * 3000)
        await unit.session.execute(update(QueuedJob).values(status="succeeded"))
        await enqueue_many(unit, [(take_note, Note())] * 20)

    for statement, index in STATEMENTS.values():
        assert index in await plan_of(bench, statement)


async def plan_of(bench: Bench, statement: Select[Any]) -> str:
    engine = bench.database.engine
    sql = str(statement.compile(engine.sync_engine, compile_kwargs={"literal_binds": True}))
    async with engine.begin() as connection:
        await connection.execute(text("ANALYZE jobs"))
        explain = "EXPLAIN QUERY PLAN" if bench.database.url.is_sqlite else "EXPLAIN"
        rows = await connection.exec_driver_sql(f"{explain} {sql}")
        return "\n".join(str(row) for row in rows)
