"""``/metrics``: who may read it, and what it counts."""

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from litestar import Litestar
from prometheus_client.parser import text_string_to_metric_families

from app.domain.system.permissions import METRICS_READ
from app.lib.db.url import DatabaseURL
from tests.support.apps import client_of, running_app
from tests.support.people import People

ROOT = Path(__file__).parents[3]
TOKEN = "a-token-for-the-scraper-only"


def samples(response: httpx.Response) -> dict[tuple[str, ...], float]:
    """Values by name and labels, the labels in the order method, route, status."""
    assert response.status_code == 200
    order = ("method", "route", "status", "le")
    return {
        (sample.name, *(sample.labels[label] for label in order if label in sample.labels)): sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
    }


async def test_they_are_not_read_without_credentials(client: httpx.AsyncClient) -> None:
    response = await client.get("/metrics")

    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Bearer"
    assert "http_requests" not in response.text


@pytest.mark.parametrize("header", ["Bearer nonsense", f"Bearer {TOKEN}", "Basic eDp5"])
async def test_they_are_not_read_with_bad_credentials(client: httpx.AsyncClient, header: str) -> None:
    response = await client.get("/metrics", headers={"Authorization": header})

    assert response.status_code == 401
    assert response.headers["www-authenticate"] == 'Bearer error="invalid_token"'


async def test_it_takes_the_permission(people: People) -> None:
    for permissions, status in (([], 403), (["users:read"], 403), ([METRICS_READ], 200)):
        async with people.client(await people.create(permissions=permissions)) as client:
            response = await client.get("/metrics")
            assert response.status_code == status
            assert (await client.head("/metrics")).status_code == status
    async with people.client(await people.create(is_superuser=True)) as client:
        assert (await client.get("/metrics", headers={"Accept": "text/plain"})).status_code == 200


async def test_a_scraper_has_a_token_of_its_own(database_url: DatabaseURL) -> None:
    async with running_app(database_url, METRICS_TOKEN=TOKEN) as app, client_of(app) as client:
        right = await client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
        assert right.status_code == 200
        assert right.headers["content-type"].startswith("text/plain; version=")
        assert right.headers["content-type"].count("charset=utf-8") == 1
        assert right.headers["cache-control"] == "no-store"
        for wrong in (TOKEN[:-1], f"{TOKEN}x", TOKEN.upper(), "x", "ü"):
            headers = [(b"Authorization", f"Bearer {wrong}".encode())]
            assert (await client.get("/metrics", headers=headers)).status_code == 401
        assert (await client.get("/metrics")).status_code == 401
        assert (await client.get("/api/v1/users/me", headers={"Authorization": f"Bearer {TOKEN}"})).status_code == 401


@pytest.mark.usefixtures("clock")
async def test_requests_are_counted_by_template_and_status(database_url: DatabaseURL) -> None:
    async with (
        running_app(database_url, METRICS_TOKEN=TOKEN, RATE_LIMIT_DEFAULT="12/minute") as app,
        client_of(app) as client,
    ):
        for number in range(3):
            await client.get(f"/api/v1/profiles/0193a3c4-5b6d-7e8f-9a0b-1c2d3e4f5a6{number}")
        for number in range(5):
            await client.get(f"/secret-{number}")
        await client.put("/health")
        await client.head("/health")
        await client.options("/health")
        await client.request("BREW", "/health")
        for _ in range(6):
            await client.get("/problems")
        found = samples(await client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}))

    profile = "/api/v1/profiles/{user_id}"
    assert found["http_requests_total", "GET", profile, "404"] == 3
    assert found["http_requests_total", "GET", "unmatched", "404"] == 5
    assert found["http_requests_total", "PUT", "unmatched", "405"] == 1
    assert found["http_requests_total", "OTHER", "unmatched", "405"] == 1
    assert found["http_requests_total", "HEAD", "/health", "200"] == 1
    assert found["http_requests_total", "OPTIONS", "/health", "204"] == 1
    assert found["http_requests_total", "GET", "/problems", "200"] == 4
    assert found["http_requests_total", "GET", "unmatched", "429"] == 2
    assert found["http_requests_rate_limited_total", "unmatched"] == 2
    assert found["http_request_duration_seconds_count", "GET", profile] == 3
    assert found["http_request_duration_seconds_bucket", "GET", profile, "+Inf"] == 3
    assert not any("secret" in part for name in found for part in name)


async def test_busy_connections_are_shown(app: Litestar, people: People) -> None:
    async with people.client(await people.create(is_superuser=True)) as client:
        found = samples(await client.get("/metrics"))

    assert found["database_write_connections_busy",] == 0
    assert found["database_read_connections_busy",] >= 0


SCRAPE = """
import asyncio
from app.lib.observability.metrics import Gauges, Metrics

metrics = Metrics()
metrics.add(Gauges(("toy_gauge", "A gauge.", lambda: 7.0)))
for _ in range(3):
    metrics.observe("GET", "/toy", 200, 0.01)
metrics.observe("GET", "/toy", 429, 0.01)
print(metrics.render().decode())
"""


def test_several_workers_are_summed(tmp_path: Path) -> None:
    """The library decides at import how to count, so each worker is a process of its own."""
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    outputs = [
        subprocess.run(  # noqa: S603 - our own words
            [sys.executable, "-c", SCRAPE], env=environment, cwd=ROOT, check=True, capture_output=True, text=True
        ).stdout
        for _ in range(2)
    ]

    lines = outputs[1].splitlines()
    assert 'http_requests_total{method="GET",route="/toy",status="200"} 6.0' in lines
    assert 'http_requests_rate_limited_total{route="/toy"} 2.0' in lines
    assert 'http_request_duration_seconds_count{method="GET",route="/toy"} 8.0' in lines
    assert sum(line.startswith("toy_gauge{") for line in lines) == 1
