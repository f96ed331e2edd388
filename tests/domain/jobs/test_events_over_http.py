"""``GET /events``: what happened, each event exactly once for who follows the cursor."""

import asyncio
from typing import Any
from uuid import UUID

import httpx
import pytest
import pytest_asyncio
from litestar import Litestar
from sqlalchemy import text

from app.core import Core
from app.domain.accounts.events import UserUpdated
from app.lib.db.base import new_id
from app.lib.db.uow import UnitOfWork
from tests.support.apps import core_of
from tests.support.people import PASSWORD, People
from tests.support.shop import API, open_shop
from tests.support.waiting import until_it_holds

EVENTS = f"{API}/events"


class Follower:
    """Keeps what it was shown, and asks with the cursor that it was given last."""

    def __init__(self, client: httpx.AsyncClient, **parameters: Any) -> None:
        self.client = client
        self.parameters = parameters
        self.seen: list[dict[str, Any]] = []

    async def read(self) -> None:
        while True:
            answer = await self.client.get(EVENTS, params=self.parameters)
            assert answer.status_code == 200, answer.text
            page = answer.json()
            self.seen += page["items"]
            if page["next_cursor"] is not None:
                self.parameters["cursor"] = page["next_cursor"]
            if len(page["items"]) < page["page_size"]:
                return

    async def has_seen(self, *ids: str | UUID) -> None:
        """Reads until each of these is there; other transactions of the server may hold them back for a while."""
        wanted = {str(each) for each in ids}

        async def holds() -> bool:
            await self.read()
            return wanted <= {each["aggregate_id"] for each in self.seen}

        await until_it_holds(holds)
        assert len({each["id"] for each in self.seen}) == len(self.seen)


async def publish(core: Core, unit: UnitOfWork) -> UUID:
    about = new_id()
    await core.events.publish(unit, UserUpdated(aggregate_id=about, aggregate_version=2))
    return about


@pytest_asyncio.fixture
async def reader(people: People) -> Any:
    async with people.client(await people.create(permissions=["events:read"])) as client:
        yield client


async def test_deletions_are_found(app: Litestar, people: People, reader: httpx.AsyncClient) -> None:
    kinds = [f"{each}.deleted" for each in ("user", "post", "room", "product")]
    begin = {"since": "2026-01-01T00:00:00Z", "kind": kinds, "page_size": 1}
    follower = Follower(reader, **begin)
    await follower.read()
    assert follower.seen == []

    person = await people.create(name="Jonas Quill")
    async with people.client(person) as own:
        room = (await own.post(f"{API}/rooms", json={"name": "quay"})).json()
        post = (await own.post(f"{API}/posts", json={"title": "Jonas Quill", "content": "Calm."})).json()
        assert (await own.delete(f"{API}/rooms/{room['id']}")).status_code == 204
        await own.post(f"{API}/auth/reauthenticate", json={"password": PASSWORD})
        deleted = await own.request("DELETE", f"{API}/users/me", json={"password": PASSWORD})
        assert deleted.status_code == 204, deleted.text
    async with open_shop(app, people) as shop:
        product = await shop.product()
        gone = await shop.sells.delete(f"{API}/products/{product['id']}", headers={"If-Match": "*"})
        assert gone.status_code == 204

    await follower.has_seen(person.id, post["id"], room["id"], product["id"])
    seen = {each["kind"]: (each["aggregate_id"], each["aggregate_version"], each["data"]) for each in follower.seen}
    assert seen == {
        "room.deleted": (room["id"], 2, {"room_id": room["id"]}),
        "post.deleted": (post["id"], 2, {"post_id": post["id"], "author_id": str(person.id), "version": 2}),
        "user.deleted": (str(person.id), 2, {"user_id": str(person.id)}),
        "product.deleted": (product["id"], 2, {"product_id": product["id"]}),
    }
    assert len(follower.seen) == len(seen)
    everything = await reader.get(EVENTS, params={"page_size": 100})
    assert not [word for word in ("Quill", person.email) if word in everything.text]


@pytest.mark.asvs("8.2.3")
async def test_what_people_wrote_is_not_listed(app: Litestar, people: People, reader: httpx.AsyncClient) -> None:
    async with open_shop(app, people) as shop:
        order = await shop.order(((await shop.product())["id"], 1))
        await shop.act(shop.buys, order, "cancel", json={"reason": "Says Jonas Quill."})
    follower = Follower(reader, kind="order.cancelled")

    await follower.has_seen(order["id"])
    [seen] = [each["data"] for each in follower.seen]
    shown = {"status": "cancelled", "actor": "customer", "refund_id": None}
    assert seen == {"order_id": order["id"], "number": order["number"], "amount": order["total"], **shown}


async def test_an_event_that_commits_late_is_not_missed(app: Litestar, reader: httpx.AsyncClient) -> None:
    core = core_of(app)
    follower = Follower(reader)
    if core.database.url.is_sqlite:  # where one writes at a time
        async with core.database.independent() as unit:
            first = await publish(core, unit)
        await follower.has_seen(first)
    else:
        async with core.database.independent() as late:
            first = await publish(core, late)
            await late.session.execute(text("SELECT 1"))  # after what waits to be sent
            async with core.database.independent() as early:
                second = await publish(core, early)
            await follower.read()
            assert str(second) not in {each["aggregate_id"] for each in follower.seen}
        await follower.has_seen(first, second)
        order = [each["aggregate_id"] for each in follower.seen]
        assert order.index(str(first)) < order.index(str(second))


async def test_followers_see_each_event_once_while_many_write(app: Litestar, reader: httpx.AsyncClient) -> None:
    core = core_of(app)
    published: list[UUID] = []

    async def write() -> None:
        for _ in range(10):
            async with core.database.independent() as unit:
                about = [await publish(core, unit) for _ in range(2)]
                await asyncio.sleep(0)
            published.extend(about)

    followers = [Follower(reader, page_size=3), Follower(reader, page_size=100, kind="user.updated")]
    writing = asyncio.gather(*(write() for _ in range(4)))

    async def all_is_written() -> bool:
        await asyncio.gather(*(each.read() for each in followers))
        return writing.done()

    await until_it_holds(all_is_written)  # with pauses, or the limit of requests is reached
    await writing

    for each in followers:
        await each.has_seen(*published)
    first, second = ([each["id"] for each in one.seen if each["kind"] == "user.updated"] for one in followers)
    assert first == second


async def test_what_is_for_a_user_alone_is_not_listed(app: Litestar, people: People, reader: httpx.AsyncClient) -> None:
    faults = {
        "kind": ["user.registered_again", "user.unheard_of"],
        "since": ["yesterday"],
        "sort": ["position"],
        "cursor": ["x"],
    }
    for name, values in faults.items():
        for value in values:
            assert (await reader.get(EVENTS, params={name: value})).status_code in {400, 422}, (name, value)
    assert (await reader.get(EVENTS, params={"since": "0001-01-01T00:00:00Z"})).status_code == 200
    async with people.client(await people.create(permissions=["jobs:manage"])) as other:
        assert (await other.get(EVENTS)).status_code == 403
