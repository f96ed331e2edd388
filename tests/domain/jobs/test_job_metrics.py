import re
from datetime import timedelta

import httpx
import pytest
from litestar import Litestar
from sqlalchemy import text

from app.lib.clock import utc_now
from app.lib.db.gauges import DatabaseGauges
from app.lib.db.url import DatabaseURL
from app.lib.jobs.enqueue import WAKE
from app.lib.jobs.metrics import job_gauges
from tests.domain.jobs.toys import put
from tests.support.apps import client_of, core_of, running_app
from tests.support.databases import empty


async def scraped(client: httpx.AsyncClient) -> dict[str, float]:
    response = await client.get("/metrics")
    assert response.status_code == 200
    return {
        name: float(value) for name, value in re.findall(r"^(jobs_[a-z_]+\{\S+) (\S+)$", response.text, re.MULTILINE)
    }


async def test_the_queue_in_numbers_by_kind(database_url: DatabaseURL) -> None:
    async with running_app(database_url, METRICS_TOKEN="t" * 32) as app:
        await empty(core_of(app).database)
        late, later = utc_now() - timedelta(minutes=5), utc_now() + timedelta(hours=1)
        await put(app, run_at=late)
        await put(app)
        await put(app, name="test.of_former_code", run_at=later)
        await put(app, status="failed")
        await put(app, status="succeeded")
        async with client_of(app, headers={"Authorization": f"Bearer {'t' * 32}"}) as client:
            samples = await scraped(client)
            await put(app)
            again = await scraped(client)

    assert samples['jobs_pending{kind="test.note"}'] == 2
    assert samples['jobs_pending{kind="test.of_former_code"}'] == 1
    assert samples['jobs_pending{kind="mail.send"}'] == 0
    assert samples['jobs_failed{kind="test.note"}'] == 1
    assert samples['jobs_running{kind="mail.send"}'] == 0
    assert samples['jobs_oldest_pending_seconds{kind="test.note"}'] >= 300
    assert samples['jobs_oldest_pending_seconds{kind="test.of_former_code"}'] == 0
    assert again == samples  # what is in the database is read again after some seconds


async def test_a_database_that_is_away_is_no_reason_to_fail(app: Litestar) -> None:
    core = core_of(app)
    gauges = DatabaseGauges(core.database.reader, job_gauges(core.jobs))
    async with core.database.engine.begin() as connection:
        await connection.execute(text("ALTER TABLE jobs RENAME TO jobs_elsewhere"))
    try:
        await gauges.refresh()
    finally:
        async with core.database.engine.begin() as connection:
            await connection.execute(text("ALTER TABLE jobs_elsewhere RENAME TO jobs"))

    assert [sample for metric in gauges.collect() for sample in metric.samples] == []


async def test_attempts_are_counted(app: Litestar) -> None:
    core = core_of(app)
    core.worker(core_of(app).database)._executor._observe("test.note", "retry", 0.1)

    assert b'jobs_attempts_total{ending="retry",kind="test.note"}' in await core.metrics.scrape()


@pytest.mark.parametrize("place", ["inside", "external", "off"])
async def test_the_worker_is_where_the_setting_says(database_url: DatabaseURL, place: str) -> None:
    async with running_app(database_url, JOBS_WORKER=place):
        works = bool(WAKE)

    assert works == (place == "inside")
