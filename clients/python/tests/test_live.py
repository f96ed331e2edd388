"""Against a running service: ``just clients`` starts one and gives its address."""

import asyncio
import os
from collections.abc import Callable
from dataclasses import replace

import httpx
import pytest
from lodestar_client.client import Lodestar, ProblemError, Tokens, unwrap
from lodestar_client.generated.api.auth import register
from lodestar_client.generated.api.rooms import create_room, create_room_message, list_rooms
from lodestar_client.generated.api.users import get_me, update_me
from lodestar_client.generated.models import MessageCreate, OwnUserUpdate, Registration, RoomCreate
from lodestar_client.realtime import Event

URL = os.environ["LODESTAR_URL"]
EMAIL, PASSWORD = "grace@example.com", "correct horse battery staple"
Ending = Callable[[httpx.Response], httpx.Response]


class Network(httpx.AsyncHTTPTransport):
    """Keeps what is sent. ``endings`` are how the next requests end instead of with their answers."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[httpx.Request] = []
        self.keys: list[str | None] = []
        self.endings: list[Ending] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(request)
        self.keys.append(request.headers.get("Idempotency-Key"))
        answer = await super().handle_async_request(request)
        return self.endings.pop(0)(answer) if self.endings else answer


def broken(_: httpx.Response) -> httpx.Response:
    raise httpx.ReadError("the connection broke")


def busy(_: httpx.Response) -> httpx.Response:
    return httpx.Response(503, headers={"Retry-After": "1"})


async def test_a_day_with_the_client() -> None:
    kept: list[Tokens | None] = []
    network = Network()
    async with Lodestar(URL, on_tokens=kept.append, transport=network) as lodestar:
        await signs_in(lodestar)
        await renews_once(lodestar, kept)
        await lists_with_filters(lodestar)
        await creates_once(lodestar, network)
        await repeats_only_what_is_safe(lodestar, network)
        await names_what_is_refused(lodestar)
        await hears_a_message(lodestar)
        await forgets_a_session_that_has_ended(lodestar)


async def signs_in(lodestar: Lodestar) -> None:
    unwrap(await register.asyncio(client=lodestar.api, body=Registration(email=EMAIL, password=PASSWORD, name="Grace")))
    with pytest.raises(ProblemError) as refused:
        await lodestar.sign_in(EMAIL, "wrong")
    assert refused.value.code == "invalid_credentials"
    await lodestar.sign_in(EMAIL, PASSWORD)


async def renews_once(lodestar: Lodestar, kept: list[Tokens | None]) -> None:
    tokens = lodestar.tokens
    assert tokens is not None
    lodestar.tokens = replace(tokens, access_token=tokens.access_token[:-4] + "AAAA")
    before = len(kept)
    answers = await asyncio.gather(*[get_me.asyncio(client=lodestar.api) for _ in range(8)])
    assert {unwrap(each).email for each in answers} == {EMAIL}
    assert len(kept) == before + 1


async def lists_with_filters(lodestar: Lodestar) -> None:
    for body in (RoomCreate(name="coffee"), RoomCreate(name="secret-coffee", visibility="private")):
        unwrap(await create_room.asyncio(client=lodestar.api, body=body))
    page = unwrap(await list_rooms.asyncio(client=lodestar.api, mine=True, visibility=["private"], sort="name"))
    assert (page.total, [room.name for room in page.items]) == (1, ["secret-coffee"])


async def creates_once(lodestar: Lodestar, network: Network) -> None:
    network.endings, network.keys = [broken, busy], []
    body = RoomCreate(name="once-only", visibility="private")
    room = unwrap(await create_room.asyncio(client=lodestar.api, body=body))
    assert (len(network.keys), len(set(network.keys))) == (3, 1)
    page = unwrap(await list_rooms.asyncio(client=lodestar.api, name="once-only", mine=True))
    assert [each.id for each in page.items] == [room.id]


async def repeats_only_what_is_safe(lodestar: Lodestar, network: Network) -> None:
    network.endings, network.sent = [broken], []
    with pytest.raises(httpx.ReadError):
        await update_me.asyncio(client=lodestar.api, body=OwnUserUpdate(name="Grace H."))
    assert len(network.sent) == 1
    cleared = unwrap(await update_me.asyncio(client=lodestar.api, body=OwnUserUpdate(name=None)))
    assert cleared.name is None
    await lodestar.get(URL.replace("127.0.0.1", "localhost") + "/health/live")
    assert "Authorization" not in network.sent[-1].headers
    network.endings = [lambda answer: httpx.Response(502, headers={"Content-Type": "text/html"})]
    with pytest.raises(ProblemError, match="status 502"):
        await get_me.asyncio(client=lodestar.api)


async def names_what_is_refused(lodestar: Lodestar) -> None:
    with pytest.raises(ProblemError) as refused:
        unwrap(await create_room.asyncio(client=lodestar.api, body=RoomCreate(name="No Room")))
    assert (refused.value.status, refused.value.code) == (422, "validation_failed")
    assert [(each.pointer, each.code) for each in refused.value.errors] == [("/name", "invalid_format")]


async def hears_a_message(lodestar: Lodestar) -> None:
    [room] = unwrap(await list_rooms.asyncio(client=lodestar.api, name="coffee")).items
    async with lodestar.realtime() as realtime, asyncio.timeout(60):
        channel = await realtime.subscribe(f"room:{room.id}")
        body = MessageCreate(data={"text": "Ahoy"})
        unwrap(await create_room_message.asyncio(room.id, client=lodestar.api, body=body))
        async for happening in channel:
            if isinstance(happening, Event):
                assert happening.data == {"text": "Ahoy"}
                break


async def forgets_a_session_that_has_ended(lodestar: Lodestar) -> None:
    stale = lodestar.tokens
    await lodestar.sign_out()
    lodestar.tokens = stale
    with pytest.raises(ProblemError) as refused:
        unwrap(await get_me.asyncio(client=lodestar.api))
    assert refused.value.code == "invalid_token"
    assert lodestar.tokens is None
