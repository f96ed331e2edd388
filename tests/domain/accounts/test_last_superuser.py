"""There is always a superuser left."""

import asyncio
from itertools import combinations_with_replacement

import httpx
import pytest
from litestar import Litestar

from app.domain.accounts.models import User
from tests.domain.accounts.answers import ME, USERS, is_refused, rows
from tests.support.people import People, Person


async def superusers(app: Litestar) -> int:
    return len(await rows(app, User, User.is_superuser, User.is_active))


async def test_the_last_superuser_stays(app: Litestar, people: People) -> None:
    last = await people.create(is_superuser=True)
    await people.create(is_superuser=True, is_active=False)
    url = f"{USERS}/{last.id}"
    async with people.client(last) as calls:
        assert is_refused(await calls.delete(ME), 409, "invalid_state")
        assert is_refused(await calls.delete(url), 409, "invalid_state")
        assert is_refused(await calls.patch(url, json={"is_superuser": False}), 403, "permission_denied")
        assert is_refused(await calls.post(f"{url}/deactivate"), 403, "permission_denied")
        assert (await calls.get(ME)).status_code == 200

    assert await superusers(app) == 1


@pytest.mark.caller("superuser")
async def test_the_last_but_one_may_go(app: Litestar, calls: httpx.AsyncClient, people: People) -> None:
    urls = [f"{USERS}/{(await people.create(is_superuser=True)).id}" for _ in range(3)]

    demoted = await calls.patch(urls[0], json={"is_superuser": False})
    deactivated = await calls.post(f"{urls[1]}/deactivate")
    deleted = await calls.delete(urls[2])

    assert [demoted.status_code, deactivated.status_code, deleted.status_code] == [200, 200, 204]
    assert await superusers(app) == 1


@pytest.mark.caller("superuser")
async def test_an_inactive_superuser_may_always_go(app: Litestar, calls: httpx.AsyncClient, people: People) -> None:
    urls = [f"{USERS}/{(await people.create(is_superuser=True, is_active=False)).id}" for _ in range(2)]

    assert (await calls.patch(urls[0], json={"is_superuser": False})).status_code == 200
    assert (await calls.delete(urls[1])).status_code == 204
    assert await superusers(app) == 1


async def undo(calls: httpx.AsyncClient, way: str, target: Person) -> httpx.Response:
    url = f"{USERS}/{target.id}"
    if way == "demote":
        return await calls.patch(url, json={"is_superuser": False})
    if way == "deactivate":
        return await calls.post(f"{url}/deactivate")
    return await calls.delete(url)


@pytest.mark.asvs("15.4.2")
@pytest.mark.parametrize(
    ("first_way", "second_way"), list(combinations_with_replacement(["demote", "deactivate", "delete"], 2))
)
async def test_two_superusers_cannot_undo_each_other(
    app: Litestar, people: People, first_way: str, second_way: str
) -> None:
    first, second = await people.create(is_superuser=True), await people.create(is_superuser=True)
    async with people.client(first) as calls, people.client(second) as others:
        await asyncio.gather(calls.get(ME), others.get(ME))  # both are known, so neither loses time with that
        answers = await asyncio.gather(undo(calls, first_way, second), undo(others, second_way, first))

    done = [answer.is_success for answer in answers]
    assert sorted(done) == [False, True], [answer.text for answer in answers]
    assert answers[done.index(False)].status_code in {401, 409}
    assert await superusers(app) == 1
    async with people.client((first, second)[done.index(True)]) as calls:
        assert (await calls.get(ME)).json()["is_superuser"] is True


async def test_superusers_who_all_leave_at_once_leave_one_behind(app: Litestar, people: People) -> None:
    crew = [await people.create(is_superuser=True) for _ in range(5)]
    async with people.client() as calls:
        answers = await asyncio.gather(*[calls.delete(ME, headers=each.headers) for each in crew])

    assert sorted(answer.status_code for answer in answers) == [204] * 4 + [409]
    assert await superusers(app) == 1
