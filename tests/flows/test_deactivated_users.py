"""Another worker has deleted the account, and this one still remembers the caller."""

from typing import Any
from uuid import UUID

import pytest
from litestar import Litestar
from sqlalchemy import delete

from app.domain.accounts.models import User
from app.lib.db.base import table_of
from tests.domain.accounts.answers import is_refused
from tests.support.apps import core_of
from tests.support.people import People
from tests.support.shop import open_shop, order_body

API = "/api/v1"
_users = table_of(User)


async def delete_elsewhere(app: Litestar, user_id: UUID) -> None:
    async with core_of(app).database.independent() as unit:
        await unit.session.execute(delete(_users).where(_users.c.id == user_id))


async def bodies(app: Litestar, people: People) -> dict[str, dict[str, Any]]:
    async with open_shop(app, people) as shop:
        product = await shop.product()
    return {
        "posts": {"title": "Last words", "content": ""},
        "webhooks": {"url": "https://hooks.example.com/in", "kinds": ["user.updated"]},
        "orders": order_body((product["id"], 1)),
    }


@pytest.mark.parametrize("resource", ["posts", "webhooks", "orders"])
async def test_the_token_of_a_deleted_account_is_refused(app: Litestar, people: People, resource: str) -> None:
    body, person = (await bodies(app, people))[resource], await people.create()
    async with people.client(person) as calls:
        assert (await calls.get(f"{API}/users/me")).status_code == 200
        await delete_elsewhere(app, person.id)
        answer = await calls.post(f"{API}/{resource}", json=body)

    assert is_refused(answer, 401, "invalid_token")
    assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'
