"""A user with very much is gone at once, and what belonged to them is deleted in batches."""

from typing import Any
from uuid import UUID

import httpx
import pytest
from litestar import Litestar
from sqlalchemy import delete, insert

from app.domain.accounts.models import Profile, User, UserRole
from app.domain.accounts.services.erase import EraseUser
from app.domain.auth.models import Session
from app.domain.orders.models import Order
from app.domain.posts.models import Post, PostTag
from app.domain.webhooks.models import WebhookDelivery, WebhookEndpoint
from app.domain.webhooks.services.deliver import DeletedWebhook
from app.lib.db.base import new_id
from app.lib.db.statements import BATCH
from app.lib.events.tables import StoredEvent
from app.lib.jobs.tables import QueuedJob
from tests.domain.accounts.answers import ME, ROLES, USERS, is_refused, rows
from tests.support.apps import core_of
from tests.support.jobs import run_job
from tests.support.people import PASSWORD, People, Person
from tests.support.posts import post_of
from tests.support.webhooks import webhook_of

MANY = BATCH + 5
POSTS = 205


async def give_much(app: Litestar, person: Person) -> UUID:
    """More than a batch of each kind. Returns the id of their webhook."""
    core = core_of(app)
    for _ in range(POSTS):
        await post_of(person.id, core)
    webhook, _ = await webhook_of(person.id, core)
    order = {"status": "delivered", "currency": "EUR", "total_units": 1, "notes": "Ring.", "payment_processing": False}
    delivery = {"endpoint_id": webhook, "kind": "user.updated", "body": "{}", "status": "failed"}
    async with core.database.independent() as unit:
        orders = [{"id": new_id(), "number": each, "customer_id": person.id, **order} for each in range(1, MANY + 1)]
        await unit.session.execute(insert(Order), orders)
        deliveries = [{"id": new_id(), "event_id": new_id(), **delivery} for _ in range(MANY)]
        await unit.session.execute(insert(WebhookDelivery), deliveries)
    return webhook


async def test_a_user_with_very_much_is_gone_at_once_and_erased_in_batches(app: Litestar, people: People) -> None:
    boss = await people.create(is_superuser=True)
    person = await people.create(username="grace", name="Grace", roles=[])
    webhook = await give_much(app, person)

    async with people.client(person) as calls, people.client(boss) as bosses, people.client() as anyone:
        changes = {"metadata": {"crm_id": "C-7"}}
        assert (await bosses.patch(f"{USERS}/{person.id}", json=changes)).status_code == 200
        assert (await calls.delete(ME)).status_code == 204

        assert (await calls.get(ME)).status_code == 401
        is_refused(await bosses.get(f"{USERS}/{person.id}"), 404, "not_found")
        is_refused(await bosses.delete(f"{USERS}/{person.id}"), 404, "not_found")
        is_refused(await bosses.patch(f"{USERS}/{person.id}", json={"name": "Back"}), 404, "not_found")
        is_refused(await bosses.post(f"{USERS}/{person.id}/activate"), 404, "not_found")
        is_refused(await anyone.get(f"/api/v1/profiles/{person.id}"), 404, "not_found")
        assert [each["id"] for each in (await bosses.get(USERS)).json()["items"]] == [str(boss.id)]
        for address in (person.email, f"{person.id}@deleted.invalid"):
            form = {"username": address, "password": PASSWORD}
            is_refused(await anyone.post("/api/v1/auth/login", data=form), 401, "invalid_credentials")
        again = {"email": person.email, "username": "grace", "password": "another fine day"}
        assert (await anyone.post("/api/v1/auth/register", json=again)).status_code == 201

    (row,) = await rows(app, User, User.id == person.id)
    (profile,) = await rows(app, Profile, Profile.user_id == person.id)
    assert (row.name, row.username, row.search_text, profile.first_name) == (None, None, "", None)
    assert row.metadata_ == {}
    (job,) = await rows(app, QueuedJob, QueuedJob.name == "users.erase")
    assert job.key == str(person.id)

    await run_job(app, "users.erase", EraseUser(person.id))
    await run_job(app, "users.erase", EraseUser(person.id))
    await run_job(app, "webhooks.delete_deliveries", DeletedWebhook(webhook))

    for model in (Post, PostTag, WebhookEndpoint, WebhookDelivery):
        assert await rows(app, model) == []
    assert await rows(app, Session, Session.user_id == person.id) == []
    assert await rows(app, User, User.id == person.id) == []
    orders = await rows(app, Order)
    assert len(orders) == MANY
    assert {(each.customer_id, each.notes) for each in orders} == {(None, None)}
    assert len(await rows(app, StoredEvent, StoredEvent.kind == "post.deleted")) == POSTS
    assert len(await rows(app, StoredEvent, StoredEvent.kind == "user.deleted")) == 1


async def test_an_erasure_without_a_job_gets_one(app: Litestar, people: People) -> None:
    person = await people.create()
    await give_much(app, person)
    async with people.client(person) as calls:
        await calls.delete(ME)
    async with core_of(app).database.independent() as unit:
        await unit.session.execute(delete(QueuedJob).where(QueuedJob.name == "users.erase"))

    await run_job(app, "users.sweep")
    await run_job(app, "users.sweep")

    assert [each.key for each in await rows(app, QueuedJob, QueuedJob.name == "users.erase")] == [str(person.id)]


@pytest.mark.caller("superuser")
@pytest.mark.parametrize("change", ["rename", "delete"])
async def test_a_role_that_everyone_has_is_changed_in_batches(
    app: Litestar, calls: httpx.AsyncClient, people: People, change: str
) -> None:
    holder = await people.create()
    role = (await calls.post(ROLES, json={"name": "member", "permissions": []})).json()
    stamps: dict[str, Any] = {"name_key": "", "search_text": "", "password_hash": "!", "version": 1}
    addresses = [f"m{number}@example.com" for number in range(MANY)]
    users = [{"id": new_id(), "email": each, "email_key": each, **stamps} for each in addresses]
    async with core_of(app).database.independent() as unit:
        await unit.session.execute(insert(User), users)
        holders = [{"user_id": each["id"], "role_id": UUID(role["id"])} for each in [*users, {"id": holder.id}]]
        await unit.session.execute(insert(UserRole), holders)

    if change == "rename":
        answer = await calls.patch(f"{ROLES}/{role['id']}", json={"name": "guest"})
        assert answer.status_code == 200
    else:
        assert (await calls.delete(f"{ROLES}/{role['id']}")).status_code == 204
    names = (await calls.get(ME, headers=holder.headers)).json()["roles"]
    (job,) = await rows(app, QueuedJob, QueuedJob.name == "roles.touch_holders")
    await run_job(app, "roles.touch_holders", core_of(app).jobs["roles.touch_holders"].decode(job.payload))

    assert names == (["guest"] if change == "rename" else [])
    changed = await rows(app, User, User.id.in_([each["id"] for each in users[:5] + users[-5:]]))
    assert {each.version for each in changed} == {2}
    assert len(await rows(app, UserRole)) == (MANY + 1 if change == "rename" else 0)
