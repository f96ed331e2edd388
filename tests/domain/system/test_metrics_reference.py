"""``docs/reference/metrics.md`` has every metric, and no other."""

import re
from pathlib import Path

from litestar import Litestar
from prometheus_client.parser import text_string_to_metric_families

from app.lib.db.gauges import DatabaseGauges
from app.lib.observability.metrics import CONTENT_TYPE
from tests.support.apps import core_of
from tests.support.people import PASSWORD, People

PAGE = Path(__file__).parents[3] / "docs/reference/metrics.md"


def documented() -> dict[str, tuple[str, set[str]]]:
    """Type and labels of each metric on the page."""
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (.*?) \|", PAGE.read_text(), re.MULTILINE)
    return {name: (kind, set(re.findall(r"\w+", labels))) for name, kind, labels in rows}


def test_names_follow_the_conventions() -> None:
    for name, (kind, labels) in documented().items():
        assert re.fullmatch(r"[a-z][a-z0-9_]*", name)
        assert name.endswith("_total") == (kind == "counter")
        assert not re.search(r"_(ms|minutes|kb|mb|percent)\b|_(ms|kb|mb)_", name)
        assert not labels & {"user", "user_id", "email", "path", "address", "ip", "le", "job", "instance", "job_id"}


async def test_a_scrape_has_what_the_page_says(app: Litestar, people: People) -> None:
    watcher = await people.create(permissions=["metrics:read"])
    async with people.client(watcher) as client:
        await client.post("/api/v1/auth/login", json={"email": watcher.email, "password": PASSWORD})
        await client.get("/nowhere")
        core_of(app).metrics._fresh_until = 0
        page = await client.get("/metrics")
    assert page.headers["content-type"].startswith(CONTENT_TYPE)

    found: dict[str, tuple[str, set[str]]] = {}
    for family in text_string_to_metric_families(page.text):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        assert name not in found
        found[name] = family.type, labels
    expected = documented()

    assert {name: kind for name, (kind, _) in found.items()} == {name: kind for name, (kind, _) in expected.items()}
    has_samples = {name for name, (_, labels) in found.items() if labels}
    assert {name: found[name] for name in has_samples} == {name: expected[name] for name in has_samples}
    assert ("\ndatabase_file_bytes " in page.text) == core_of(app).database.url.is_sqlite
    assert has_samples >= {"http_requests_total", "audit_events_total", "jobs_pending", "mails", "app_build_info"}


async def test_an_index_serves_each_gauge_of_the_database(app: Litestar) -> None:
    """However many rows there are. There are none here, so PostgreSQL is asked to read through no table if it can."""
    database = core_of(app).database
    [gauges] = [each for each in core_of(app).metrics.collectors if isinstance(each, DatabaseGauges)]
    async with database.engine.connect() as connection:
        if not database.url.is_sqlite:
            await connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
            await connection.exec_driver_sql("SET LOCAL enable_bitmapscan = off")
        for gauge in gauges._gauges:
            compiled = gauge.statement.statement.compile(
                database.engine.sync_engine, compile_kwargs={"literal_binds": True}
            )
            explain = "EXPLAIN QUERY PLAN" if database.url.is_sqlite else "EXPLAIN"
            rows = await connection.exec_driver_sql(f"{explain} {compiled}")
            read = [
                line for line in map(str, rows) if re.search(r"\b(on|SEARCH|SCAN) (jobs|mails|webhook_\w+)\b", line)
            ]
            assert read, gauge.name
            for line in read:
                assert re.search(r"Index Only Scan using ix_|COVERING INDEX ix_", line), f"{gauge.name}: {line}"
