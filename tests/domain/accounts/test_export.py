"""Users take along what is held on them."""

import json
from datetime import timedelta
from typing import Any

import httpx
import pytest
from litestar import Litestar
from sqlalchemy import update

from app.domain.auth.models import Session
from app.lib.clock import utc_now
from app.lib.export import PAGE
from tests.domain.accounts.answers import ME, audited, is_refused
from tests.support.apps import core_of
from tests.support.audit import chain
from tests.support.people import PASSWORD, People
from tests.support.posts import post_of
from tests.support.webhooks import webhook_of

EXPORT = f"{ME}/export"


@pytest.mark.asvs("14.2.6", "16.2.5")
async def test_a_user_gets_all_of_theirs_and_nothing_of_others(
    app: Litestar, client: httpx.AsyncClient, people: People
) -> None:
    person, other = await people.create(username="ada", name="Ada"), await people.create(name="Grace")
    for user in (person, other):
        await client.patch(f"{ME}/profile", json={"bio": f"Bio of {user.email}"}, headers=user.headers)
        post = {"title": f"By {user.email}", "content": "Here."}
        assert (await client.post("/api/v1/posts", json=post, headers=user.headers)).status_code == 201
        await webhook_of(user.id, core_of(app))
        form = {"username": user.email, "password": PASSWORD}
        assert (await client.post("/api/v1/auth/login", data=form)).status_code == 200
    await chain(app)

    answer = await client.get(EXPORT, headers=person.headers)

    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-type"] == "application/json"
    held: dict[str, list[dict[str, Any]]] = answer.json()
    parts = [part.name for domain in core_of(app).domains for part in domain.exports]
    assert list(held) == parts
    assert [each["email"] for each in held["user"]] == [person.email]
    assert [each["title"] for each in held["posts"]] == [f"By {person.email}"]
    assert len(held["sessions"]) == 2
    assert len(held["webhooks"]) == 1
    assert "sign_in.ok" in {each["kind"] for each in held["events_about_you"]}
    assert not any(each in answer.text for each in (other.email, str(other.id), "Grace", PASSWORD, "argon2", "whsec_"))
    assert len(await audited(app, "user.exported")) == 1


async def test_an_export_is_read_in_pages(app: Litestar, client: httpx.AsyncClient, people: People) -> None:
    person = await people.create()
    count = 2 * PAGE + 1
    ids = {str(await post_of(person.id, core_of(app))) for _ in range(count)}

    answer = await client.get(EXPORT, headers=person.headers)

    posts = json.loads(answer.content)["posts"]
    assert len(posts) == count
    assert len({each["id"] for each in posts}) == count == len(ids)


@pytest.mark.asvs("7.5.3", "2.4.1")
async def test_an_export_needs_a_recent_sign_in_and_is_limited(
    app: Litestar, client: httpx.AsyncClient, people: People
) -> None:
    person, late = await people.create(), await people.create()
    async with core_of(app).database.independent() as unit:
        long_ago = utc_now() - timedelta(minutes=11)
        await unit.session.execute(update(Session).where(Session.user_id == late.id).values(authenticated_at=long_ago))

    assert is_refused(await client.get(EXPORT), 401, "unauthenticated")
    assert is_refused(await client.get(EXPORT, headers=late.headers), 403, "reauth_required")
    heads = [await client.head(EXPORT, headers=person.headers) for _ in range(6)]
    assert await audited(app, "user.exported") == []
    answers = [await client.get(EXPORT, headers=person.headers) for _ in range(6)]

    assert [each.status_code for each in heads] == [200] * 6, "nothing is exported, so nothing is counted"
    assert heads[0].headers.keys() == answers[0].headers.keys()
    assert (await client.head(EXPORT, headers=late.headers)).status_code == 403
    assert [each.status_code for each in answers] == [200] * 5 + [429]
    assert is_refused(answers[5], 429, "rate_limited")
    assert int(answers[5].headers["retry-after"]) > 0
