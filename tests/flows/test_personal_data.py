"""After the deletion of an account nothing in the database names the person, but for what the documentation states."""

import asyncio
from typing import Any
from uuid import UUID

import httpx
import pytest
from litestar import Litestar
from sqlalchemy import text

from app.domain.accounts.models import User
from app.domain.orders.models import Order
from app.domain.posts.repositories import DELETED_AT_A_TIME
from app.lib.db.base import metadata
from app.lib.jobs import Postpone
from app.lib.jobs.tables import QueuedJob
from tests.domain.accounts.answers import ME, is_refused, rows
from tests.domain.auth.steps import LOGIN, REGISTER, sign_in_from
from tests.support.apps import client_of, core_of
from tests.support.audit import chain
from tests.support.jobs import run_job
from tests.support.people import People
from tests.support.posts import post_of
from tests.support.shop import order_body, product_body

EMAIL, OTHER_EMAIL, THIRD_EMAIL = "zerelda.quux@example.com", "zerelda.other@example.com", "zerelda.third@example.com"
USERNAME, NAME, BIO, NOTES = "zereldaq", "Zerelda Quux", "Zerelda paints boats", "Ring at Zerelda's door"
PASSWORD, ADDRESS, AGENT = "a most uncommon day", "198.51.100.77", "Zerelda/1.0"
NEEDLES = ("zerelda", ADDRESS)

STATED = {
    "audit_events.address",
    "audit_events.user_agent",
    "audit_events.details",  # the host of a webhook
    "idempotency_keys.body",
    "rate_limits.key",  # of the client address
    "realtime_events.data",
    "rooms.name",
    "rooms.search_text",
}
"""docs/auth.md says why, and for how long."""


async def tables_that_name(app: Litestar, *needles: str) -> set[str]:
    """The tables and columns in which a needle is found, as text or inside JSON or bytes."""
    found = set[str]()
    async with core_of(app).database.engine.connect() as connection:
        for table in metadata.sorted_tables:
            for row in (await connection.execute(text(f'SELECT * FROM "{table.name}"'))).mappings():  # noqa: S608 - our own table names
                for column, value in row.items():
                    shown = value.decode("latin-1") if isinstance(value, bytes) else str(value)
                    if any(needle in shown.lower() for needle in needles):
                        found.add(f"{table.name}.{column}")
    return found


async def run_all_jobs(app: Litestar) -> None:
    """Those that wait, and those that they make, as a worker would."""
    done = set[Any]()
    while waiting := [
        each for each in await rows(app, QueuedJob, QueuedJob.status == "pending") if each.id not in done
    ]:
        for each in waiting:
            done.add(each.id)
            await run_job(app, each.name, core_of(app).jobs[each.name].decode(each.payload), each.id)


async def live(app: Litestar, client: httpx.AsyncClient, boss: dict[str, str]) -> dict[str, str]:
    """Leaves traces of all kinds. Returns the headers of the person."""
    person = {"email": EMAIL, "username": USERNAME, "name": NAME, "password": PASSWORD}
    assert (await client.post(REGISTER, json=person)).status_code == 201
    for password in ("wrong horse battery", PASSWORD):
        tokens = (await client.post(LOGIN, json={"username": EMAIL, "password": password})).json()
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    product = (await client.post("/api/v1/products", json=product_body(), headers=boss)).json()
    requests: list[tuple[str, str, dict[str, Any]]] = [
        ("PUT", f"{ME}/profile", {"first_name": "Zerelda", "last_name": "Quux", "bio": BIO}),
        ("PATCH", ME, {"username": f"{USERNAME}2", "name": f"{NAME} II"}),
        ("POST", "/api/v1/auth/verify-email/send-code", {"email": EMAIL}),
        ("POST", "/api/v1/auth/forgot-password", {"email": EMAIL}),
        ("POST", f"{ME}/email", {"email": OTHER_EMAIL}),
        ("POST", REGISTER, person),
        ("POST", "/api/v1/posts", {"title": "By Zerelda", "content": BIO, "tags": ["zerelda"]}),
        ("POST", "/api/v1/orders", order_body((product["id"], 1), notes=NOTES)),
        ("POST", "/api/v1/webhooks", {"url": "https://zerelda.example.com/", "kinds": ["post.published"]}),
        ("POST", "/api/v1/rooms", {"name": "zerelda-room", "visibility": "public"}),
        ("POST", "/api/v1/users/me/api-keys", {"name": "Zerelda's key", "scopes": []}),
        ("POST", "/api/v1/users/me/mfa/totp", {}),
        ("GET", "/api/v1/users", {}),
    ]
    for number, (method, url, body) in enumerate(requests):
        keyed = (
            headers | {"Idempotency-Key": f"key-{number}"} if url.endswith(("posts", "orders", "rooms")) else headers
        )
        answer = await client.request(method, url, json=body or None, headers=keyed)
        assert answer.status_code in {200, 201, 202, 403, 409}, (url, answer.text)
    await sign_in_from(app, ADDRESS, THIRD_EMAIL, "wrong horse battery")
    await run_all_jobs(app)
    return headers


@pytest.mark.asvs("14.2.4", "14.2.7")
async def test_nothing_names_a_person_who_is_gone(app: Litestar, people: People) -> None:
    boss = await people.create(is_superuser=True)
    async with client_of(app, address=ADDRESS, headers={"User-Agent": AGENT}) as client:
        headers = await live(app, client, boss.headers)
        await chain(app)
        assert {"users.email", "mails.to_address", "sessions.address"} <= await tables_that_name(app, *NEEDLES)

        assert (await client.delete(ME, headers=headers)).status_code == 204

        assert is_refused(await client.get(ME, headers=headers), 401, "invalid_token")
        await run_all_jobs(app)
        await chain(app)
        assert await tables_that_name(app, *NEEDLES) <= STATED
        (order,) = await rows(app, Order)
        assert (order.customer_id, order.notes) == (None, None)
        again = {"email": EMAIL, "username": f"{USERNAME}2", "password": PASSWORD}
        assert (await client.post(REGISTER, json=again)).status_code == 201


@pytest.mark.asvs("14.2.7")
async def test_who_has_very_much_is_named_no_more_at_once(app: Litestar, people: People) -> None:
    """Before the job that deletes the rest has run."""
    boss = await people.create(is_superuser=True)
    async with client_of(app, address=ADDRESS, headers={"User-Agent": AGENT}) as client:
        headers = await live(app, client, boss.headers)
        person_id = UUID((await client.get(ME, headers=headers)).json()["id"])
        for _ in range(DELETED_AT_A_TIME + 1):
            await post_of(person_id, core_of(app))

        assert (await client.delete(ME, headers=headers)).status_code == 204

    (row,) = await rows(app, User, User.id == person_id)
    assert not row.password_hash.startswith("$argon2")
    left = {each.partition(".")[0] for each in await tables_that_name(app, *NEEDLES) - STATED}
    assert left <= {"posts", "post_tags", "webhook_endpoints", "jobs", "audit_inbox"}
    await run_all_jobs(app)
    await chain(app)
    assert await tables_that_name(app, *NEEDLES) <= STATED
    assert await rows(app, User, User.id == person_id) == []


@pytest.mark.asvs("14.2.7")
async def test_what_is_asked_for_while_the_account_goes_leaves_nothing(app: Litestar, people: People) -> None:
    person = await people.create(email=EMAIL)
    room = {"name": "quiet", "visibility": "public"}
    async with people.client(person) as calls:
        *others, deleted = await asyncio.gather(
            *[calls.post(f"{ME}/email", json={"email": f"zerelda.{number}@example.com"}) for number in range(4)],
            calls.post("/api/v1/auth/reauthenticate", json={"password": person.password}),
            calls.post(f"{ME}/mfa/totp"),
            calls.post("/api/v1/rooms", json=room),
            calls.delete(ME),
        )

    assert deleted.status_code == 204
    assert {each.status_code for each in others} <= {200, 201, 202, 401}
    await run_all_jobs(app)
    await chain(app)
    assert await tables_that_name(app, "zerelda") <= STATED


@pytest.mark.asvs("14.2.7")
async def test_a_job_that_runs_while_the_account_goes_is_forgotten_after_it(app: Litestar, people: People) -> None:
    person = await people.create(email=EMAIL)
    async with people.client(person) as calls:
        assert (await calls.post(f"{ME}/email", json={"email": OTHER_EMAIL})).status_code == 202
        await _set_job(app, "auth.mail_link", "running")
        assert (await calls.delete(ME)).status_code == 204

    with pytest.raises(Postpone):
        await run_all_jobs(app)
    await _set_job(app, "auth.mail_link", "succeeded")
    await run_all_jobs(app)
    assert await tables_that_name(app, "zerelda") <= STATED


async def _set_job(app: Litestar, name: str, status: str) -> None:
    async with core_of(app).database.engine.begin() as connection:
        await connection.execute(
            text("UPDATE jobs SET status = :status WHERE name = :name"), {"status": status, "name": name}
        )
