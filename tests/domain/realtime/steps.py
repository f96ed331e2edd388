"""Short words for what tests of rooms do and look at."""

from contextlib import AsyncExitStack
from typing import Any

import httpx
from litestar import Litestar

from app.lib.jobs.tables import QueuedJob
from tests.domain.accounts.answers import JSONObject, rows
from tests.support.apps import core_of
from tests.support.jobs import run_job
from tests.support.people import People, Person

ROOMS = "/api/v1/rooms"


async def make_room(calls: httpx.AsyncClient, name: str = "harbour", **members: Any) -> JSONObject:
    """A public room by default."""
    response = await calls.post(ROOMS, json={"name": name, **members})
    assert response.status_code == 201, response.text
    room: JSONObject = response.json()
    return room


def channel_of(room: JSONObject) -> str:
    return f"room:{room['id']}"


def messages_of(room: JSONObject) -> str:
    return f"{ROOMS}/{room['id']}/messages"


async def private_room(calls: httpx.AsyncClient, name: str = "cabin", **members: Any) -> JSONObject:
    return await make_room(calls, name, visibility="private", **members)


async def invite(calls: httpx.AsyncClient, room: JSONObject, person: Person) -> httpx.Response:
    return await calls.post(f"{ROOMS}/{room['id']}/invitations", json={"user_id": str(person.id)})


async def join(calls: httpx.AsyncClient, room: JSONObject) -> httpx.Response:
    return await calls.post(f"{ROOMS}/{room['id']}/join")


async def names(calls: httpx.AsyncClient, **query: Any) -> list[str]:
    response = await calls.get(ROOMS, params=query)
    assert response.status_code == 200, response.text
    return [room["name"] for room in response.json()["items"]]


async def members(calls: httpx.AsyncClient, room: JSONObject) -> dict[str, str]:
    """Roles by user, in the order of the list."""
    response = await calls.get(f"{ROOMS}/{room['id']}/members")
    assert response.status_code == 200, response.text
    return {item["user"]["id"]: item["role"] for item in response.json()["items"]}


class Crew:
    """People and a client for each; closed at the end of the test."""

    def __init__(self, people: People, stack: AsyncExitStack) -> None:
        self._people = people
        self._stack = stack

    async def add(self, **values: Any) -> tuple[Person, httpx.AsyncClient]:
        person = await self._people.create(**values)
        return person, await self._stack.enter_async_context(self._people.client(person))


async def run_queued(app: Litestar, times: int = 1) -> None:
    """The jobs of channels that wait, in their order; each as often as that, as if a worker had died after it."""
    core = core_of(app)
    for row in sorted(await rows(app, QueuedJob, QueuedJob.name.contains("realtime")), key=lambda row: row.id):
        for _ in range(times):
            await run_job(app, row.name, core.jobs[row.name].decode(row.payload), row.id)
