"""``/jobs``: what operators see, and what they may do to a job in which state."""

from datetime import timedelta
from uuid import uuid4

import httpx
import pytest
from litestar import Litestar

from app.domain.jobs.permissions import JOBS_MANAGE
from app.lib.clock import utc_now
from app.lib.jobs.queue import Ending, Outcome, beat, claim_of, settle
from tests.domain.jobs.toys import put
from tests.support.apps import core_of
from tests.support.audit import audited

pytestmark = pytest.mark.caller(JOBS_MANAGE)

JOBS = "/api/v1/jobs"
STATES = ("pending", "running", "succeeded", "failed", "cancelled")


async def test_the_list_is_newest_first_and_holds_no_payload(app: Litestar, calls: httpx.AsyncClient) -> None:
    first, second = await put(app, "secret"), await put(app, "secret", status="failed", error_kind="E", error="secret")

    response = await calls.get(JOBS)

    assert response.status_code == 200
    assert [item["id"] for item in response.json()["items"]] == [str(second), str(first)]
    assert "secret" not in response.text


async def test_the_list_is_filtered_by_kind_state_and_time(app: Litestar, calls: httpx.AsyncClient) -> None:
    now = utc_now()
    for hours, state in enumerate(STATES):
        await put(app, status=state, created_at=now - timedelta(hours=hours))

    async def states(**params: object) -> list[str]:
        response = await calls.get(JOBS, params=params)  # type: ignore[arg-type]  # strings and lists of strings
        assert response.status_code == 200, response.text
        return [item["status"] for item in response.json()["items"]]

    assert await states() == list(STATES)
    assert await states(status="failed") == ["failed"]
    assert await states(status=["failed", "succeeded"]) == ["succeeded", "failed"]
    assert await states(kind="test.note") == list(STATES)
    assert await states(kind="test.other") == []
    assert await states(created_before=(now - timedelta(minutes=90)).isoformat()) == list(STATES[2:])
    assert await states(created_after=(now - timedelta(minutes=90)).isoformat()) == list(STATES[:2])
    assert (await calls.get(JOBS, params={"status": "odd"})).status_code == 422


async def test_the_list_is_walked_by_cursor(app: Litestar, calls: httpx.AsyncClient) -> None:
    ids = [str(await put(app)) for _ in range(5)]
    seen: list[str] = []
    url: str | None = f"{JOBS}?page_size=2"
    while url:
        page = (await calls.get(url)).json()
        seen += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
        url = f"{JOBS}?page_size=2&cursor={cursor}" if cursor else None

    assert seen == ids[::-1]


async def test_a_single_job_shows_what_it_holds(app: Litestar, calls: httpx.AsyncClient) -> None:
    job_id = await put(app, "hello", key="k")

    body = (await calls.get(f"{JOBS}/{job_id}")).json()

    assert (body["kind"], body["status"], body["payload"], body["key"]) == (
        "test.note", "pending", {"text": "hello"}, "k",
    )  # fmt: skip


@pytest.mark.parametrize("action", ["", "/retry", "/cancel"])
async def test_a_job_that_is_not_there_is_404(calls: httpx.AsyncClient, action: str) -> None:
    for name in (uuid4(), "nonsense"):
        url = f"{JOBS}/{name}{action}"
        response = await (calls.post(url) if action else calls.get(url))
        assert response.status_code == 404


@pytest.mark.parametrize("state", STATES)
async def test_only_dead_and_cancelled_jobs_run_again(app: Litestar, calls: httpx.AsyncClient, state: str) -> None:
    job_id = await put(app, status=state, attempts=8, losses=1, finished_at=utc_now())

    response = await calls.post(f"{JOBS}/{job_id}/retry")

    if state in {"failed", "cancelled"}:
        body = response.json()
        assert response.status_code == 200
        assert (body["status"], body["attempts"], body["losses"], body["finished_at"]) == ("pending", 0, 0, None)
    else:
        assert (response.status_code, response.json()["code"]) == (409, "invalid_state")
        assert (await calls.get(f"{JOBS}/{job_id}")).json()["status"] == state


@pytest.mark.parametrize("state", STATES)
async def test_only_what_waits_or_runs_can_be_cancelled(app: Litestar, calls: httpx.AsyncClient, state: str) -> None:
    job_id = await put(app, status=state)

    response = await calls.post(f"{JOBS}/{job_id}/cancel")

    if state in {"pending", "running"}:
        body = response.json()
        assert (response.status_code, body["status"]) == (200, "cancelled")
        assert body["finished_at"] is not None
    else:
        assert (response.status_code, response.json()["code"]) == (409, "invalid_state")


async def test_a_job_has_a_version(app: Litestar, calls: httpx.AsyncClient) -> None:
    job_id = await put(app)
    url = f"{JOBS}/{job_id}"
    seen = await calls.get(url)
    assert (seen.headers["etag"], seen.json()["version"]) == ('"1"', 1)
    assert (await calls.get(url, headers={"If-None-Match": '"1"'})).status_code == 304

    stale = await calls.post(f"{url}/cancel", headers={"If-Match": '"7"'})
    cancelled = await calls.post(f"{url}/cancel", headers={"If-Match": '"1"'})
    late = await calls.post(f"{url}/retry", headers={"If-Match": '"1"'})
    retried = await calls.post(f"{url}/retry", headers={"If-Match": cancelled.headers["etag"]})

    assert [each.status_code for each in (stale, cancelled, late, retried)] == [412, 200, 412, 200]
    assert [each.json()["version"] for each in (cancelled, retried)] == [2, 3]
    assert retried.headers["etag"] == '"3"'


async def test_an_attempt_changes_the_version(app: Litestar, calls: httpx.AsyncClient) -> None:
    job_id = await put(app)
    database = core_of(app).database
    async with database.independent() as unit:
        claimed = await unit.all(claim_of(["test.note"]), worker_id=job_id, worker_name="w", limit=1)
        assert [each.id for each in claimed] == [job_id]
    running = (await calls.get(f"{JOBS}/{job_id}")).json()
    async with database.independent() as unit:
        await beat(unit, job_id)
        await settle(unit, job_id, [Outcome(job_id=job_id, ending=Ending.SUCCEEDED)])
    over = (await calls.get(f"{JOBS}/{job_id}")).json()

    assert [(each["status"], each["version"]) for each in (running, over)] == [("running", 2), ("succeeded", 3)]


async def test_a_job_whose_key_is_taken_does_not_run_again(app: Litestar, calls: httpx.AsyncClient) -> None:
    dead = await put(app, key="k", status="failed")
    await put(app, key="k")

    response = await calls.post(f"{JOBS}/{dead}/retry")

    assert (response.status_code, response.json()["code"]) == (409, "invalid_state")


async def test_what_operators_do_is_audited(app: Litestar, calls: httpx.AsyncClient) -> None:
    job_id = await put(app)
    await calls.post(f"{JOBS}/{job_id}/cancel")
    await calls.post(f"{JOBS}/{job_id}/retry")
    await calls.post(f"{JOBS}/{job_id}/retry")

    found = await audited(app)
    assert [(each.kind, each.subject_id) for each in found] == [("job.cancelled", job_id), ("job.retried", job_id)]


@pytest.mark.caller("users:read")
async def test_other_callers_are_refused(app: Litestar, calls: httpx.AsyncClient) -> None:
    job_id = await put(app)

    assert (await calls.get(JOBS)).status_code == 403
    assert (await calls.get(f"{JOBS}/{job_id}")).status_code == 404
    assert (await calls.post(f"{JOBS}/{job_id}/cancel")).status_code == 404
