"""Reports of unexpected errors, as Sentry gets them: where it happened, and nothing about anyone."""

import gzip
import json
import logging
from base64 import b64encode
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from litestar import Litestar
from sqlalchemy import select

from app.core import VERSION
from app.domain.auth.authenticator import SessionAuthenticator
from app.lib.clock import utc_now
from app.lib.db.base import new_id
from app.lib.jobs.background import repeating
from app.lib.jobs.tables import QueuedJob
from tests.support.apps import Deployment, client_of, core_of
from tests.support.people import PASSWORD, People
from tests.support.receivers import Receiver, answering, receiver
from tests.support.waiting import until, until_it_holds

CHANGE = "/api/v1/users/me/password"
EMAIL = "zerelda@example.com"
SECRETS = {"X-Api-Secret": "a-header", "Cookie": "session=a-cookie", "User-Agent": "Someone's browser"}


@pytest_asyncio.fixture
async def sentry() -> AsyncIterator[Receiver]:
    async with receiver(answering(200, b"{}"), tls=False) as server:
        yield server


def dsn(sentry: Receiver) -> str:
    return f"http://publickey@127.0.0.1:{sentry.port}/7"


def reports(sentry: Receiver) -> list[dict[str, Any]]:
    """Every event that came in; there has to be nothing else."""
    assert {each.target for each in sentry.received} <= {"/api/7/envelope/"}
    envelopes = [gzip.decompress(each.body).decode().strip().split("\n") for each in sentry.received]
    assert {json.loads(header)["type"] for _, header, _ in envelopes} <= {"event"}
    return [json.loads(body) for _, _, body in envelopes]


async def _fail(_sql: str, _arguments: object) -> Any:
    zerelda = f"{PASSWORD} {EMAIL}"
    try:
        raise KeyError(zerelda)
    except KeyError as exc:
        exc.add_note(zerelda)
        raise LookupError(zerelda) from exc


async def test_a_failed_request_is_reported_without_what_the_client_sent(
    sentry: Receiver, deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = await deployment.start(SENTRY_DSN=dsn(sentry), PRODUCT_NAME="Reported")
    person = await People(app).create(email=EMAIL, name="Zerelda Quux")
    async with client_of(app, headers=person.headers | SECRETS) as client:
        assert (await client.get("/api/v1/users/me?page=x")).status_code == 400
        assert (await client.get(f"/api/v1/users/{new_id()}")).status_code in {403, 404}
        core_of(app).services.get(SessionAuthenticator).forget(None)
        with monkeypatch.context() as broken:
            broken.setattr(core_of(app).database.reader, "fetch", _fail)
            answer = await client.post(f"{CHANGE}?email={EMAIL}", json={"current_password": PASSWORD, "email": EMAIL})
    assert answer.status_code == 500, answer.text

    await until(lambda: bool(reports(sentry)))
    (report,) = reports(sentry)
    assert report["tags"] == {
        "event": "request.failed",
        "request_id": answer.headers["x-request-id"],
        "method": "POST",
        "route": CHANGE,
    }
    assert report["transaction"] == CHANGE
    assert (report["release"], report["environment"], report["level"]) == (f"reported@{VERSION}", "test", "error")
    values = report["exception"]["values"]
    assert [(each["type"], each["value"]) for each in values] == [("KeyError", ""), ("LookupError", "")]
    assert values[1]["stacktrace"]["frames"][-1]["function"] == "_fail"
    everything = json.dumps(report).lower()
    hidden = [
        PASSWORD,
        EMAIL,
        "quux",
        person.access_token,
        str(person.id),
        "203.0.113",
        "a-header",
        "a-cookie",
        "browser",
    ]
    assert [each for each in hidden if each.lower() in everything] == []
    assert not {"request", "user", "breadcrumbs", "extra", "modules"} & {name for name in report if report[name]}
    assert '"vars"' not in everything


async def add_unreadable_job(app: Litestar) -> UUID:
    row = QueuedJob(id=new_id(), name="mail.send", payload="{}", status="pending", attempts=0, losses=0, beats=0)
    row.created_at = row.run_at = utc_now()
    row.version, row.request_id = 1, "the-first-request"
    job_id = row.id
    async with core_of(app).database.independent() as unit:
        unit.session.add(row)
    return job_id


async def test_failed_jobs_and_bugs_in_the_background_are_reported_and_outages_are_not(
    sentry: Receiver, deployment: Deployment
) -> None:
    app = await deployment.start(SENTRY_DSN=dsn(sentry), JOBS_WORKER="inside")
    job_id = await add_unreadable_job(app)

    async def is_over() -> bool:
        async with core_of(app).database.independent() as unit:
            status = await unit.session.scalar(select(QueuedJob.status).where(QueuedJob.id == job_id))
        return status == "failed"

    await until_it_holds(is_over)
    await until(lambda: len(reports(sentry)) == 1)
    assert reports(sentry)[0]["tags"] == {
        "event": "job.failed",
        "request_id": "the-first-request",
        "job": "mail.send",
        "job_id": str(job_id),
    }

    async def outage() -> None:
        raise ConnectionError

    async def bug() -> None:
        raise LookupError(PASSWORD)

    async with repeating(outage, "background.away"), repeating(bug, "background.failed"):
        await until(lambda: len(reports(sentry)) == 2)
    report = reports(sentry)[1]
    assert report["tags"]["event"] == "background.failed"
    secret = core_of(app).settings.signing_secret
    logging.getLogger("a.library").error("bad key %r", b64encode(secret.encode()), exc_info=LookupError(secret))
    await until(lambda: len(reports(sentry)) == 3)
    assert reports(sentry)[2]["tags"]["event"].startswith("bad key b'********")
    assert report["exception"]["values"][0]["type"] == "LookupError"
