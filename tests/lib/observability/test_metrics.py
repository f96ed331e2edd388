import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Iterable
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest
from litestar import Litestar
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector
from sqlalchemy import text

from app.lib.observability.metrics import Metrics
from tests.support.apps import core_of
from tests.support.waiting import until_it_holds

ROOT = Path(__file__).parents[3]


def samples_of(page: str) -> dict[tuple[str, str], float]:
    """Values by name and labels, as ``("http_requests_total", "GET /x 200")``."""
    shown = ("method", "route", "status", "le", "pool", "access", "label")
    return {
        (sample.name, " ".join(sample.labels[k] for k in shown if k in sample.labels)): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


async def samples(metrics: Metrics) -> dict[tuple[str, str], float]:
    return samples_of((await metrics.scrape()).decode())


class Busy(Collector):
    """A gauge and a counter of a process."""

    def __init__(self) -> None:
        self.busy, self.done = 1.0, {"a": 2.0}

    def collect(self) -> Iterable[Metric]:
        done = CounterMetricFamily("done", "What is done.", labels=["label"])
        for label, value in self.done.items():
            done.add_metric([label], value)
        return GaugeMetricFamily("busy", "How busy.", value=self.busy), done


async def test_requests_are_counted_and_timed_by_route() -> None:
    metrics = Metrics()
    metrics.observe("GET", "/users/{id}", 200, 0.004)
    metrics.observe("GET", "/users/{id}", 200, 0.2)
    metrics.observe("GET", "/users/{id}", 404, 0.001)
    metrics.observe("POST", "/users", 201, 3)

    found = await samples(metrics)

    assert found["http_requests_total", "GET /users/{id} 200"] == 2
    assert found["http_requests_total", "GET /users/{id} 404"] == 1
    assert found["http_requests_total", "POST /users 201"] == 1
    assert found["http_request_duration_seconds_count", "GET /users/{id}"] == 3
    assert found["http_request_duration_seconds_sum", "GET /users/{id}"] == pytest.approx(0.205)
    assert found["http_request_duration_seconds_bucket", "GET /users/{id} 0.005"] == 2


async def test_methods_that_clients_invent_make_no_series() -> None:
    metrics = Metrics()
    for number in range(100):
        metrics.observe(f"METHOD{number}", "unmatched", 405, 0.001)

    found = await samples(metrics)

    assert found["http_requests_total", "OTHER unmatched 405"] == 100
    assert len([name for name, _ in found if name == "http_requests_total"]) == 1
    assert metrics._children == {}


async def test_values_of_the_process_are_read_at_the_scrape() -> None:
    metrics, busy = Metrics(), Busy()
    metrics.add(busy)
    assert (await samples(metrics))["busy", ""] == 1

    busy.busy, busy.done = 5, {"a": 3, "b": 1}
    found = await samples(metrics)

    assert found["busy", ""] == 5
    assert found["done_total", "a"] == 3
    assert found["done_total", "b"] == 1
    assert found["process_resident_memory_bytes", ""] > 10_000_000
    assert found["process_open_fds", ""] > 2
    assert not any(name.endswith("_created") for name, _ in found)


async def test_what_all_share_is_read_for_many_scrapes_at_once() -> None:
    metrics, busy, refreshed = Metrics(), Busy(), []

    async def refresh() -> None:
        refreshed.append(1)

    metrics.share(busy, refresh)
    pages = await asyncio.gather(*(samples(metrics) for _ in range(20)))
    metrics._fresh_until = 0
    await samples(metrics)

    assert {page["busy", ""] for page in pages} == {1}
    assert len(refreshed) == 2


WORKERS = """
import asyncio, os, sys
from app.lib.observability.metrics import Metrics
from tests.lib.observability.test_metrics import Busy

def start():
    metrics, busy = Metrics(), Busy()
    metrics.add(busy)
    metrics.share(busy.__class__())
    return metrics, busy

async def scrape(metrics, busy):
    busy.busy = 7
    print((await metrics.scrape()).decode() + "# END", flush=True)

for number in range(2):
    ready, is_ready = os.pipe()
    end, ends = os.pipe()
    if not (child := os.fork()):
        metrics, busy = start()
        for _ in range(2):  # what was counted before is not counted again
            metrics.observe("GET", "/x", 200, 0.1)
            busy.done["a"] += 1
            asyncio.run(metrics._copy_own())
        os.write(is_ready, b"1")
        os.close(ends)
        os.read(end, 1)
        os._exit(0)
    os.read(ready, 1)
    asyncio.run(scrape(*start()))
    os.close(end)
    os.write(ends, b"1")
    os.waitpid(child, 0)
asyncio.run(scrape(*start()))
"""


def test_a_scrape_has_the_values_of_all_workers(tmp_path: Path) -> None:
    """One that has ended has no gauges any more, and what it counted stays. What all share is read once."""
    environ = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    command = [sys.executable, "-c", WORKERS]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environ, check=False)  # noqa: S603 - ours
    assert done.returncode == 0, done.stderr
    first, _, last = done.stdout.split("# END")[:3]

    assert sorted(re.findall(r'^busy\{pid="\d+"\} (\S+)$', first, re.MULTILINE)) == ["1.0", "7.0"]
    assert re.findall(r'^busy\{pid="\d+"\} (\S+)$', last, re.MULTILINE) == ["7.0"]
    assert len(re.findall(r'^process_open_fds\{pid="\d+"\} \S+$', first, re.MULTILINE)) == 2
    assert len(re.findall(r"^busy 1.0$", last, re.MULTILINE)) == 1
    found = samples_of(last)
    assert found["http_requests_total", "GET /x 200"] == 4
    assert found["http_request_duration_seconds_count", "GET /x"] == 4
    assert len({path.name for path in tmp_path.glob("common*")}) == 1


async def test_the_service_counts_by_template_and_shows_its_pools(app: Litestar, client: httpx.AsyncClient) -> None:
    core = core_of(app)
    before = await samples(core.metrics)
    for path in ("/api/v1/users/1", "/api/v1/users/2", "/nowhere", "/health/live"):
        await client.get(path)

    found = await samples(core.metrics)

    routes = {label for name, label in found if name == "http_requests_total"}
    assert "GET unmatched 404" in routes
    key = ("http_requests_total", "GET /health/live 200")
    assert found[key] == before.get(key, 0) + 1


async def test_pools_show_who_waits(app: Litestar) -> None:
    core = core_of(app)
    size = int((await samples(core.metrics))["database_pool_size", "requests write"])
    async with AsyncExitStack() as stack:
        for _ in range(size):
            unit = await stack.enter_async_context(core.database.independent())
            await unit.session.execute(text("SELECT 1"))
        late = core.database.unit()
        waiting = asyncio.create_task(late.session.execute(text("SELECT 1")))

        async def someone_waits() -> bool:
            return (await samples(core.metrics))["database_pool_waiters", "requests write"] == 1

        await until_it_holds(someone_waits)
        found = await samples(core.metrics)
    await waiting
    await late.rollback()

    assert found["database_pool_in_use", "requests write"] == size
    assert found["database_pool_in_use", "requests read"] == 0
    after = await samples(core.metrics)
    assert [after[f"database_pool_{each}", "requests write"] for each in ("in_use", "waiters")] == [0, 0]
    kinds = {"requests", "jobs", "realtime"} if not core.settings.database.is_sqlite else {"requests"}
    assert {label.split()[0] for name, label in after if name == "database_pool_size"} - {"queue", "other"} == kinds
