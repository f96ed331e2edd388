"""The audit log: who did what to whom, from where, in which session."""

from typing import Any
from uuid import UUID

import httpx
import pytest
from litestar import Litestar

from app.lib import audit
from app.lib.audit import MAX_USER_AGENT, SYSTEM, AuditKind, Origin
from app.lib.clock import utc_now
from app.lib.db.base import metadata, new_id
from tests.domain.auth.steps import LOGIN, audited
from tests.support.apps import ADDRESS, client_of, core_of
from tests.support.people import PASSWORD, People

AGENT = "Harbour/1.0 (quiet)"

audit.declare(*(AuditKind(f"test.{name}", "For these tests.") for name in ("undone", "done", "many")))


async def log_in(client: httpx.AsyncClient, email: str, **headers: Any) -> httpx.Response:
    form = {"username": email, "password": PASSWORD}
    return await client.post(LOGIN, data=form, headers=headers)


@pytest.mark.asvs("16.2.1")
async def test_an_event_says_where_it_came_from(app: Litestar, client: httpx.AsyncClient, people: People) -> None:
    person = await people.create()
    before = utc_now()

    response = await log_in(client, person.email, **{"User-Agent": AGENT, "X-Request-Id": "visit-0001"})

    assert response.status_code == 200
    (row,) = await audited(app, "sign_in.ok")
    assert before <= row.created_at <= utc_now()
    assert row.subject_id == person.id
    assert (row.actor_id, row.session_id) == (None, None)
    assert (row.address, row.user_agent, row.client_request_id) == (ADDRESS, AGENT, "visit-0001")
    assert UUID(row.request_id).version == 7
    assert UUID(row.details["session_id"]) != person.session_id


@pytest.mark.asvs("16.2.1")
async def test_an_event_says_who_did_what_to_whom(app: Litestar, people: People) -> None:
    boss, other = await people.create(is_superuser=True), await people.create()

    async with people.client(boss) as calls:
        response = await calls.post(f"/api/v1/users/{other.id}/deactivate")

    assert response.is_success
    (row,) = await audited(app, "user.deactivated")
    assert (row.actor_id, row.session_id, row.subject_id) == (boss.id, boss.session_id, other.id)
    assert (row.request_id, row.client_request_id) == (response.headers["x-request-id"], None)


async def test_a_refused_request_is_on_record(app: Litestar, client: httpx.AsyncClient, people: People) -> None:
    person = await people.create()

    refused = await client.post(LOGIN, data={"username": person.email, "password": "wrong horse battery"})

    assert refused.status_code == 401
    (row,) = await audited(app, "sign_in.failed")
    assert (row.subject_id, row.address) == (person.id, ADDRESS)
    assert "wrong horse" not in str(row)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (b"x\x1b[31m\x9b2J\xadred\t", "x[31m2Jred"),
        (b"a" * 300, "a" * MAX_USER_AGENT),
        (b"\x01\x02", None),
        (b"", None),
    ],
)
async def test_a_hostile_user_agent_is_cleaned(
    app: Litestar, client: httpx.AsyncClient, people: People, sent: bytes, kept: str | None
) -> None:
    person = await people.create()

    assert (await log_in(client, person.email, **{"User-Agent": sent})).status_code == 200

    assert [row.user_agent for row in await audited(app, "sign_in.ok")] == [kept]


@pytest.mark.parametrize(
    ("address", "kept"),
    [
        ("2001:DB8::0001", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("", None),
        ("/run/app.sock", None),
        ("fe80::1%" + "x" * 100, None),
        ("<script>", None),
    ],
)
async def test_only_an_address_is_kept_as_one(app: Litestar, people: People, address: str, kept: str | None) -> None:
    person = await people.create()

    async with client_of(app, address=address) as client:
        assert (await log_in(client, person.email)).status_code == 200

    assert [row.address for row in await audited(app, "sign_in.ok")] == [kept]


async def test_an_event_is_part_of_the_transaction(app: Litestar) -> None:
    database = core_of(app).database
    subject = new_id()

    async def undone() -> None:
        async with database.independent() as unit:
            await audit.record(unit, "test.undone", SYSTEM)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await undone()
    async with database.independent() as unit:
        await audit.record(unit, "test.done", SYSTEM, subject_id=subject, names=["a", "\u00fc"], count=2)

    assert await audited(app, "test.undone") == []
    (row,) = await audited(app, "test.done")
    assert (row.subject_id, row.details) == (subject, {"names": ["a", "\u00fc"], "count": 2})
    assert (row.actor_id, row.session_id, row.address, row.user_agent, row.request_id) == (None,) * 5


async def test_a_kind_that_is_not_declared_is_refused(app: Litestar) -> None:
    async with core_of(app).database.independent() as unit:
        with pytest.raises(LookupError, match="is not declared"):
            await audit.record(unit, "test.unheard", SYSTEM)


async def test_events_are_in_the_order_of_their_ids(app: Litestar) -> None:
    async with core_of(app).database.independent() as unit:
        for number in range(20):
            await audit.record(unit, "test.many", Origin(request_id=f"request-{number}"))

    rows = await audited(app, "test.many")

    assert [row.request_id for row in rows] == [f"request-{number}" for number in range(20)]
    assert [row.created_at for row in rows] == sorted(row.created_at for row in rows)


def test_the_log_outlives_what_it_speaks_of() -> None:
    assert not metadata.tables["audit_events"].foreign_keys | metadata.tables["audit_inbox"].foreign_keys
