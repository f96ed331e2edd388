"""`app serve` with several workers, and people who talk in a room there."""

import asyncio
import os
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import URL

from app.lib.db.url import DatabaseURL
from clients.python.lodestar_client.realtime import Event, Lost, Realtime, Subscription
from tests.support.apps import make_core
from tests.support.people import People, Person
from tests.support.processes import NO_TLS, Server, app_command, free_port, until_gone
from tests.support.proxy import Proxy

API = "/api/v1"


class Harbour:
    """A running service with one public room."""

    def __init__(self, url: DatabaseURL, folder: Path, *, workers: int, redis_url: str | None) -> None:
        self.url = url
        self.port = free_port()
        self._people: People | None = None
        self.channel = ""
        """Of the room, once it has a member."""
        environ = {
            "DATABASE_URL": url.url.render_as_string(hide_password=False),
            "SECRET_KEY": "a-key-that-is-only-for-tests-0123456789",
            "ENVIRONMENT": "test",
            "RATE_LIMIT_ENABLED": "false",
            "JOBS_WORKER": "off",
            "LOG_LEVEL": "warning",
            **({"REDIS_URL": redis_url} if redis_url else {}),
        }
        command = app_command("serve", "--port", str(self.port), "--workers", str(workers))
        self.server = Server(command, folder, self.port, environ)
        # Tokens name the server that they are for.
        self.core = make_core(url, PORT=str(self.port))

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def proxy(self) -> Proxy:
        """A network between people and the service."""
        return Proxy(URL.create("http", host="127.0.0.1", port=self.port), listens=False)

    async def open(self) -> None:
        await asyncio.to_thread(self.server.until_it_answers, "/health/ready")
        await self.core.database.start()
        self._people = People(self.core)

    async def close(self) -> None:
        self.server.__exit__(None, None, None)
        await self.core.database.close()

    async def member(self, name: str) -> Person:
        """A new person who is in the room; the first one has made it."""
        assert self._people is not None
        person = await self._people.create(name=name)
        async with httpx.AsyncClient(base_url=f"{self.address}{API}", headers=person.headers, verify=NO_TLS) as client:
            if not self.channel:
                made = await client.post("/rooms", json={"name": "harbour"})
                assert made.status_code == 201, made.text
                self.channel = f"room:{made.json()['id']}"
            joined = await client.post(f"/rooms/{self.channel.removeprefix('room:')}/join")
        assert joined.status_code == 200, joined.text
        return person

    async def kill_worker(self, pid: int) -> None:
        """kill -9 of one worker; the server starts another."""
        os.kill(pid, signal.SIGKILL)
        await asyncio.to_thread(until_gone, {pid})


def realtime_of(person: Person, address: str) -> Realtime:
    """A client of theirs."""

    async def token(_renew: bool) -> str:
        return person.access_token

    return Realtime(address, get_token=token)


class Talker:
    """Says numbers, one after the other, until it is stopped."""

    def __init__(self, client: Realtime, channel: str, name: str) -> None:
        self.said: dict[int, dict[str, Any]] = {}
        """What was acknowledged, by id."""
        self._client = client
        self._channel = channel
        self._name = name
        self._stop = asyncio.Event()
        self._talking = asyncio.create_task(self._talk())

    async def stop(self) -> None:
        """Returns when the last word is acknowledged."""
        self._stop.set()
        await self._talking

    async def _talk(self) -> None:
        number = 0
        while not self._stop.is_set():
            number += 1
            data = {"from": self._name, "number": number}
            self.said[await self._client.publish(self._channel, data)] = data


class Listener:
    """Hears everything that happens in the room."""

    def __init__(self, subscription: Subscription) -> None:
        self.subscription = subscription
        self.first_id = (subscription.last_id or 0) + 1
        self.heard: list[tuple[int, Any]] = []
        self.lost = 0
        self._listening = asyncio.create_task(self._listen(subscription))

    @property
    def last_id(self) -> int:
        return self.heard[-1][0] if self.heard else 0

    async def stop(self) -> None:
        self._listening.cancel()
        await asyncio.gather(self._listening, return_exceptions=True)

    async def _listen(self, subscription: Subscription) -> None:
        async for happening in subscription:
            if isinstance(happening, Event):
                self.heard.append((happening.id, happening.data))
            self.lost += isinstance(happening, Lost)


def check(heard: list[tuple[int, Any]], first_id: int, talkers: list[Talker]) -> None:
    """A listener has heard every word once, in the one order that there is, and as it was acknowledged."""
    said = {id_: data for talker in talkers for id_, data in talker.said.items()}
    ids = [id_ for id_, _ in heard]
    assert ids == list(range(first_id, first_id + len(ids)))
    assert {id_: data for id_, data in heard if id_ in said} == {id_: said[id_] for id_ in said if id_ >= first_id}
    words = Counter((data["from"], data["number"]) for _, data in heard if "from" in data)
    assert set(words.values()) <= {1}
    for talker in talkers:
        numbers = [data["number"] for _, data in sorted(talker.said.items())]
        assert numbers == sorted(numbers)
