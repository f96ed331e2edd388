import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from litestar import Litestar
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text

from app.lib.observability.metrics import Gauges, Metrics
from tests.support.apps import core_of

ROOT = Path(__file__).parents[3]


def samples(metrics: Metrics | str) -> dict[tuple[str, str], float]:
    """Values by name and labels, as ``("http_requests_total", "GET /x 200")``."""
    page = metrics if isinstance(metrics, str) else metrics.render().decode()
    return {
        (sample.name, " ".join(sample.labels[k] for k in ("method", "route", "status", "le") if k in sample.labels)): (
            sample.value
        )
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


def test_requests_are_counted_and_timed_by_route() -> None:
    metrics = Metrics()
    metrics.observe("GET", "/users/{id}", 200, 0.004)
    metrics.observe("GET", "/users/{id}", 200, 0.2)
    metrics.observe("GET", "/users/{id}", 404, 0.001)
    metrics.observe("POST", "/users", 201, 3)

    found = samples(metrics)

    assert found["http_requests_total", "GET /users/{id} 200"] == 2
    assert found["http_requests_total", "GET /users/{id} 404"] == 1
    assert found["http_requests_total", "POST /users 201"] == 1
    assert found["http_request_duration_seconds_count", "GET /users/{id}"] == 3
    assert found["http_request_duration_seconds_sum", "GET /users/{id}"] == pytest.approx(0.205)
    assert found["http_request_duration_seconds_bucket", "GET /users/{id} 0.005"] == 2


def test_refusals_by_a_limit_are_counted_apart() -> None:
    metrics = Metrics()
    metrics.observe("POST", "/auth/login", 429, 0.001)
    metrics.observe("POST", "/auth/login", 200, 0.001)

    assert samples(metrics)["http_requests_rate_limited_total", "/auth/login"] == 1


def test_methods_that_clients_invent_make_no_series() -> None:
    metrics = Metrics()
    for number in range(100):
        metrics.observe(f"METHOD{number}", "unmatched", 405, 0.001)

    found = samples(metrics)

    assert found["http_requests_total", "OTHER unmatched 405"] == 100
    assert len([name for name, _ in found if name == "http_requests_total"]) == 1
    assert metrics._children == {}


def test_gauges_are_read_at_the_scrape() -> None:
    metrics = Metrics()
    values = [1.0, 2.0]
    metrics.add(Gauges(("busy", "How busy.", lambda: values[0]), ("idle", "How idle.", lambda: values[1])))
    assert samples(metrics)["busy", ""] == 1

    values[0] = 5

    assert samples(metrics)["busy", ""] == 5
    assert samples(metrics)["idle", ""] == 2
    assert f'busy{{pid="{os.getpid()}"}} 5.0' in metrics.render().decode()


WORKERS = """
import os, sys
from app.lib.observability.metrics import Gauges, Metrics
metrics = Metrics()
metrics.add(Gauges(("busy", "How busy.", lambda: 7)))
for _ in range(3):
    if not os.fork():
        metrics.observe("GET", "/x", 200, 0.1)
        os._exit(0)
    os.wait()
print(metrics.render().decode())
"""


def test_the_counts_of_several_workers_are_summed(tmp_path: Path) -> None:
    environ = {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    command = [sys.executable, "-c", WORKERS]

    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT, env=environ)  # noqa: S603 - ours

    found = samples(done.stdout)
    assert found["http_requests_total", "GET /x 200"] == 3
    assert found["http_request_duration_seconds_count", "GET /x"] == 3
    assert found["busy", ""] == 7


async def test_the_service_counts_by_template_and_shows_its_pools(app: Litestar, client: httpx.AsyncClient) -> None:
    core = core_of(app)
    before = samples(core.metrics)
    for path in ("/api/v1/users/1", "/api/v1/users/2", "/nowhere", "/health/live"):
        await client.get(path)

    found = samples(core.metrics)

    routes = {label for name, label in found if name == "http_requests_total"}
    assert "GET unmatched 404" in routes
    key = ("http_requests_total", "GET /health/live 200")
    assert found[key] == before.get(key, 0) + 1
    assert found["database_write_connections_busy", ""] == 0
    assert found["database_read_connections_busy", ""] == 0
    async with core.database.independent() as unit:
        await unit.session.execute(text("SELECT 1"))
        assert samples(core.metrics)["database_write_connections_busy", ""] == 1
