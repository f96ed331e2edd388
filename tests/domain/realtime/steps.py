"""Short words for what tests of rooms do and look at."""

from contextlib import AsyncExitStack
from typing import Any

import httpx

from tests.domain.accounts.answers import JSONObject
from tests.support.people import People, Person

ROOMS = "/api/v1/rooms"


async def make_room(calls: httpx.AsyncClient, name: str = "harbour", **members: Any) -> JSONObject:
    """A public room, unless told otherwise."""
    response = await calls.post(ROOMS, json={"name": name, **members})
    assert response.status_code == 201, response.text
    room: JSONObject = response.json()
    return room


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
