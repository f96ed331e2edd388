"""The chain of the audit log: what the database refuses, and what the verification finds when it could not."""

import asyncio
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import pytest
from litestar import Litestar
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.domain.audit.settings import AuditSettings
from app.lib import audit
from app.lib.audit import SYSTEM, AuditKind, Stream
from app.lib.audit.chain import BATCH, Chainer
from app.lib.audit.verify import Head, Report, verify
from app.lib.clock import utc_now
from app.lib.db.base import metadata
from tests.support.apps import Deployment, core_of
from tests.support.audit import audited, chain
from tests.support.jobs import run_job
from tests.support.unguarded import without_triggers
from tests.support.waiting import until_it_holds

audit.declare(AuditKind("test.lasting", "For these tests."), AuditKind("test.brief", "The same.", by_strangers=True))


async def record(app: Litestar, count: int, kind: str = "test.lasting") -> None:
    async with core_of(app).database.independent() as unit:
        for number in range(count):
            await audit.record(unit, kind, SYSTEM, number=number)


async def verified(app: Litestar, expected: Head | None = None) -> Report:
    core = core_of(app)
    return await verify(core.database.reader, core.services.get(AuditSettings).days, expected)


async def tamper(app: Litestar, *statements: str, **values: Any) -> None:
    """As the owner of the tables, who can switch triggers off."""
    async with core_of(app).database.engine.begin() as connection, without_triggers(connection):
        for statement in statements:
            await connection.execute(text(statement), values)


def found(report: Report) -> list[tuple[int | None, str]]:
    return [(each.seq, each.problem.split(":")[0]) for each in report.findings]


def replacing(table: str) -> list[str]:
    """A row of SQLite is replaced by any of its unique keys, and by the number that is hidden."""
    names = [column.name for column in metadata.tables[table].columns]
    key = "number" if table == "audit_segments" else "id"
    others = ", ".join(f"{name} || 'x'" if name == key else name for name in names)
    by_rowid = f"REPLACE INTO {table} (rowid, {', '.join(names)}) SELECT rowid, {others} FROM {table}"  # noqa: S608 - names of ours
    by_key = f"REPLACE INTO {table} SELECT * FROM {table}"  # noqa: S608 - the same
    by_place = f"REPLACE INTO {table} ({', '.join(names)}) SELECT {others} FROM {table}"  # noqa: S608 - the same
    return [by_key, by_rowid, *([by_place] if table == "audit_events" else [])]


@pytest.mark.asvs("16.4.2")
@pytest.mark.parametrize("table", ["audit_inbox", "audit_events", "audit_segments"])
async def test_the_database_refuses_changes(app: Litestar, table: str) -> None:
    await record(app, 2)
    await chain(app)
    await record(app, 1)
    database = core_of(app).database
    update = "first_seq = 9" if table == "audit_segments" else "kind = 'sign_out'"
    statements = [f"UPDATE {table} SET {update}", f"DELETE FROM {table}"]  # noqa: S608 - the names above
    if not database.url.is_sqlite:
        statements.append(f"TRUNCATE {table}")
    else:
        statements += replacing(table)

    for statement in statements:
        with pytest.raises(DBAPIError, match="append only"):
            async with database.engine.begin() as connection:
                await connection.execute(text(statement))

    assert found(await verified(app)) == []
    assert len(await audited(app)) == 3


async def test_a_segment_grows_and_is_sealed_and_then_only_dropped(app: Litestar) -> None:
    await record(app, 2)
    await chain(app)
    refused = [
        "UPDATE audit_segments SET last_seq = 1",
        "UPDATE audit_segments SET previous_hash = last_hash",
        "UPDATE audit_segments SET dropped_at = ended_at",
        "UPDATE audit_segments SET ended_at = '2020-01-01 00:00:00.000000+00:00'",  # as if its time were over
    ]
    seal = "UPDATE audit_segments SET sealed_at = ended_at"
    refused_when_sealed = ["UPDATE audit_segments SET last_seq = 3", "UPDATE audit_segments SET sealed_at = NULL"]
    for statements in (refused, refused_when_sealed):
        for statement in statements:
            with pytest.raises(DBAPIError, match="append only"):
                async with core_of(app).database.engine.begin() as connection:
                    await connection.execute(text(statement))
        async with core_of(app).database.engine.begin() as connection:
            await connection.execute(text(seal if statements is refused else "SELECT 1"))


CHANGES = [
    ("UPDATE audit_events SET kind = 'sign_out' WHERE seq = 3", [(3, "changed")]),
    ("UPDATE audit_events SET details = '{\"number\": 7}' WHERE seq = 3", [(3, "changed")]),
    ("UPDATE audit_events SET address = '192.0.2.1' WHERE seq = 3", [(3, "changed")]),
    ("DELETE FROM audit_events WHERE seq = 3", [(3, "missing")]),
    ("DELETE FROM audit_events WHERE seq > 3", [(4, "missing")]),
    ("DELETE FROM audit_events", [(1, "missing")]),
    ("DELETE FROM audit_segments", [(seq, "added") for seq in range(1, 7)]),
    ("UPDATE audit_events SET seq = 99 WHERE seq = 3", [(3, "missing"), (99, "added")]),
    ("UPDATE audit_events SET seq = seq + 1 WHERE seq = 6", [(7, "added"), (6, "missing")]),
    ("UPDATE audit_events SET stream = 'other' WHERE seq = 3", [(3, "missing"), (3, "added")]),
    ("UPDATE audit_segments SET last_seq = 2, last_hash = (SELECT hash FROM audit_events WHERE seq = 2)", None),
    ("UPDATE audit_segments SET previous_hash = last_hash", [(None, "changed or missing"), (1, "changed")]),
]


@pytest.mark.asvs("16.4.2")
@pytest.mark.parametrize(("statement", "findings"), CHANGES)
async def test_what_was_changed_by_force_is_found(
    app: Litestar, statement: str, findings: list[tuple[int | None, str]] | None
) -> None:
    await record(app, 6)
    await chain(app)
    assert found(await verified(app)) == []

    await tamper(app, statement)

    report = await verified(app)
    assert found(report) == (findings or [(seq, "added") for seq in range(3, 7)])


@pytest.mark.asvs("16.4.2")
async def test_rows_that_changed_places_are_found(app: Litestar) -> None:
    await record(app, 5)
    await chain(app)
    swap = "UPDATE audit_events SET seq = :new WHERE seq = :old"

    for old, new in ((2, 0), (4, 2), (0, 4)):
        await tamper(app, swap, old=old, new=new)

    assert [seq for seq, _ in found(await verified(app))] == [2, 3, 4, 5]


@pytest.mark.asvs("16.4.2")
async def test_a_row_with_a_hash_of_its_own_breaks_the_next(app: Litestar) -> None:
    await record(app, 4)
    await chain(app)

    await tamper(app, "UPDATE audit_events SET hash = (SELECT last_hash FROM audit_segments) WHERE seq = 2")

    assert found(await verified(app)) == [(2, "changed"), (3, "changed")]


@pytest.mark.asvs("16.4.2", "16.4.3")
async def test_a_log_that_was_cut_off_with_its_head_is_found_by_a_head_kept_elsewhere(app: Litestar) -> None:
    await record(app, 4)
    await chain(app)
    (head,) = (await verified(app)).heads

    assert found(await verified(app, head)) == []
    await record(app, 1)
    await chain(app)
    assert found(await verified(app, head)) == []
    cut = "UPDATE audit_segments SET last_seq = 2, last_hash = (SELECT hash FROM audit_events WHERE seq = 2)"
    await tamper(app, cut, "DELETE FROM audit_events WHERE seq > 2")

    assert found(await verified(app)) == []
    assert found(await verified(app, head)) == [(4, "missing")]


async def test_what_two_workers_chain_at_a_time_is_one_chain(deployment: Deployment) -> None:
    first, second = await deployment.start(), await deployment.start()
    await record(first, BATCH + 10)
    chainers = [Chainer(core_of(each).database) for each in (first, second, first, second)]

    async def write(number: int) -> None:
        await record([first, second][number % 2], 1, "test.brief" if number % 3 else "test.lasting")

    await asyncio.gather(*(each.chain() for each in chainers), *(write(number) for number in range(60)))
    await chain(first)

    report = await verified(second)
    assert (report.events, report.waiting, found(report)) == (BATCH + 70, 0, [])
    assert {head.stream for head in report.heads} == {"brief", "lasting"}


async def test_a_crash_between_the_commit_and_the_chain_loses_nothing(app: Litestar) -> None:
    await record(app, 3)
    database = core_of(app).database

    async def crash() -> None:
        async with database.independent() as unit:
            assert await Chainer(database)._chain_batch(unit) == 3
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await crash()

    assert (await verified(app)).waiting == 3
    await chain(app)
    report = await verified(app)
    assert (report.events, report.waiting, found(report)) == (3, 0, [])


async def test_what_commits_late_is_chained_late(app: Litestar) -> None:
    database = core_of(app).database
    if database.url.is_sqlite:
        pytest.skip("SQLite has one writer, so what begins first commits first")
    late = database.unit()
    await audit.record(late, "test.lasting", SYSTEM, name="late")

    await record(app, 2)
    await chain(app)
    await late.commit()
    await chain(app)

    rows = await audited(app)
    assert [row.details.get("name") for row in sorted(rows, key=lambda row: row.seq)] == [None, None, "late"]
    assert rows[0].details == {"name": "late"}
    assert found(await verified(app)) == []


async def test_workers_chain_in_the_background(deployment: Deployment) -> None:
    app = await deployment.start(JOBS_WORKER="inside")
    await record(app, 3)

    async def chained() -> bool:
        report = await verified(app)
        return (report.events, report.waiting) == (3, 0)

    await until_it_holds(chained)


async def age(app: Litestar, days: int) -> None:
    """Makes all segments older."""
    rows = "SELECT stream, number, started_at, ended_at FROM audit_segments"
    async with core_of(app).database.engine.begin() as connection, without_triggers(connection):
        for stream, number, *instants in (await connection.execute(text(rows))).all():
            earlier = [_earlier(each, days) for each in instants]
            await connection.execute(
                text("UPDATE audit_segments SET started_at = :a, ended_at = :b WHERE stream = :s AND number = :n"),
                {"a": earlier[0], "b": earlier[1], "s": stream, "n": number},
            )


def _earlier(instant: Any, days: int) -> Any:
    if isinstance(instant, str):
        return (datetime.fromisoformat(instant) - timedelta(days=days)).isoformat(" ", "microseconds")
    return instant - timedelta(days=days)


async def purge_after(app: Litestar, days: int) -> Iterable[str]:
    await age(app, days)
    await run_job(app, "audit.purge")
    return [row.kind for row in await audited(app)]


@pytest.mark.asvs("16.4.2")
async def test_the_log_forgets_whole_segments_and_can_still_be_proved(app: Litestar) -> None:
    await record(app, 3, "test.brief")
    await record(app, 2)
    await chain(app)

    assert len(list(await purge_after(app, 89))) == 5
    assert len(list(await purge_after(app, 2))) == 3  # and the event that says so
    await record(app, 1, "test.brief")
    await chain(app)
    report = await verified(app)
    assert (found(report), report.dropped, report.events) == ([], 1, 4)
    assert {head.stream: head.seq for head in report.heads} == {"brief": 4, "lasting": 3}
    (dropped,) = await audited(app, "audit.dropped")
    assert dropped.details == {"stream": "brief", "segments": 1, "through": 3, "days": 90}

    assert "test.lasting" not in list(await purge_after(app, 400 - 91 + 1))
    assert found(await verified(app)) == []


async def test_events_that_are_not_deleted_yet_are_no_findings(app: Litestar) -> None:
    """A worker was killed after the segment was dropped, or is still at work."""
    await record(app, 3, "test.brief")
    await chain(app)
    await age(app, 91)
    await record(app, 2, "test.brief")
    await chain(app)
    database = core_of(app).database
    async with database.engine.begin() as connection:
        await connection.execute(text("UPDATE audit_segments SET dropped_at = sealed_at WHERE number = 1"))
        await connection.execute(text("DELETE FROM audit_events WHERE seq = 2"))

    report = await verified(app)
    assert (found(report), report.events, report.dropped) == ([], 2, 1)
    await tamper(app, "UPDATE audit_events SET kind = 'sign_out' WHERE seq = 1")
    assert found(await verified(app)) == [(1, "changed")]
    await tamper(app, "DELETE FROM audit_events WHERE seq = 4")
    assert found(await verified(app)) == [(1, "changed"), (4, "missing")]


async def test_a_segment_that_was_dropped_before_its_time_is_found(app: Litestar) -> None:
    await record(app, 3, "test.brief")
    await chain(app)
    async with core_of(app).database.engine.begin() as connection:
        await connection.execute(text("UPDATE audit_segments SET sealed_at = ended_at"))
        await connection.execute(text("UPDATE audit_segments SET dropped_at = ended_at"))
        await connection.execute(text("DELETE FROM audit_events"))

    assert found(await verified(app)) == [(None, "missing")]


async def test_a_clock_that_goes_back_keeps_the_chain(app: Litestar) -> None:
    await record(app, 1)
    await chain(app)
    await age(app, -3)  # chained by a clock that was three days ahead
    await record(app, 1)
    await chain(app)

    report = await verified(app)
    assert (report.segments, report.events, found(report)) == (1, 2, [])
    await run_job(app, "audit.purge")
    assert len(await audited(app)) == 2
    rows = [utc_now() - row.created_at for row in await audited(app)]
    assert all(abs(each) < timedelta(minutes=10) for each in rows)


def test_streams_are_as_long_as_their_column() -> None:
    assert all(len(each) <= 16 for each in Stream)
