"""``/metrics``: who may read it, and what it counts."""

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from app.domain.system.permissions import METRICS_READ
from app.lib.db.url import DatabaseURL
from tests.support.apps import client_of, running_app
from tests.support.people import PASSWORD, People

TOKEN = "a-token-for-the-scraper-only"


def samples(response: httpx.Response) -> dict[tuple[str, ...], float]:
    """Values by name and labels, the labels in the order of ``order``."""
    assert response.status_code == 200
    order = ("method", "route", "status", "le", "policy", "kind", "way")
    return {
        (sample.name, *(sample.labels[label] for label in order if label in sample.labels)): sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
    }


async def scrape(client: httpx.AsyncClient) -> dict[tuple[str, ...], float]:
    return samples(await client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}))


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
        refused = (await scrape(client)).get(("rate_limit_refusals_total", "default"), 0)
        for number in range(3):
            await client.get(f"/api/v1/profiles/0193a3c4-5b6d-7e8f-9a0b-1c2d3e4f5a6{number}")
        for number in range(5):
            await client.get(f"/zebra-{number}")
        await client.put("/health")
        await client.head("/health")
        await client.options("/health")
        await client.request("BREW", "/health")
        for _ in range(6):
            await client.get("/problems")
        found = await scrape(client)

    profile = "/api/v1/profiles/{user_id}"
    assert found["http_requests_total", "GET", profile, "404"] == 3
    assert found["http_requests_total", "GET", "unmatched", "404"] == 5
    assert found["http_requests_total", "PUT", "unmatched", "405"] == 1
    assert found["http_requests_total", "OTHER", "unmatched", "405"] == 1
    assert found["http_requests_total", "HEAD", "/health", "200"] == 1
    assert found["http_requests_total", "OPTIONS", "/health", "204"] == 1
    assert found["http_requests_total", "GET", "/problems", "200"] == 4
    assert found["http_requests_total", "GET", "unmatched", "429"] == 2
    assert found["rate_limit_refusals_total", "default"] == refused + 2
    assert found["http_request_duration_seconds_count", "GET", profile] == 3
    assert found["http_request_duration_seconds_bucket", "GET", profile, "+Inf"] == 3
    assert not any("zebra" in part for name in found for part in name)


async def test_sign_ins_are_counted_by_outcome_and_way(people: People, client: httpx.AsyncClient) -> None:
    watcher = await people.create(permissions=[METRICS_READ])
    async with people.client(watcher) as watching:
        before = samples(await watching.get("/metrics"))
        for password, status in (("wrong", 401), (PASSWORD, 200), (PASSWORD, 200)):
            answer = await client.post("/api/v1/auth/login", json={"email": watcher.email, "password": password})
            assert answer.status_code == status
        after = samples(await watching.get("/metrics"))

    for outcome, count in (("failed", 1), ("ok", 2)):
        key = ("audit_events_total", f"sign_in.{outcome}", "password")
        assert after[key] - before.get(key, 0) == count
