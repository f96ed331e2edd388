"""Against a running service: ``just clients`` starts one and gives its address."""

import asyncio
import os
from collections.abc import Callable
from dataclasses import replace

import httpx
import pytest
from lodestar_client.client import LodestarClient, ProblemError, Tokens, unwrap
from lodestar_client.generated.api.auth import register
from lodestar_client.generated.api.rooms import create_room, create_room_message, get_room, list_rooms
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
    async with LodestarClient(URL, on_tokens=kept.append, transport=network) as client:
        await signs_in(client)
        await renews_once(client, kept)
        await lists_with_filters(client)
        await creates_once(client, network)
        await repeats_only_what_is_safe(client, network)
        await names_what_is_refused(client)
        await keeps_what_it_does_not_know(client, network)
        await hears_a_message(client)
        await forgets_a_session_that_has_ended(client)


async def signs_in(client: LodestarClient) -> None:
    unwrap(await register.asyncio(client=client.api, body=Registration(email=EMAIL, password=PASSWORD, name="Grace")))
    with pytest.raises(ProblemError) as refused:
        await client.sign_in(EMAIL, "wrong")
    assert refused.value.code == "invalid_credentials"
    await client.sign_in(EMAIL, PASSWORD)


async def renews_once(client: LodestarClient, kept: list[Tokens | None]) -> None:
    tokens = client.tokens
    assert tokens is not None
    client.tokens = replace(tokens, access_token=tokens.access_token[:-4] + "AAAA")
    before = len(kept)
    answers = await asyncio.gather(*[get_me.asyncio(client=client.api) for _ in range(8)])
    assert {unwrap(each).email for each in answers} == {EMAIL}
    assert len(kept) == before + 1


async def lists_with_filters(client: LodestarClient) -> None:
    for body in (RoomCreate(name="coffee"), RoomCreate(name="secret-coffee", visibility="private")):
        unwrap(await create_room.asyncio(client=client.api, body=body))
    page = unwrap(await list_rooms.asyncio(client=client.api, mine=True, visibility=["private"], sort="name"))
    assert (page.total, [room.name for room in page.items]) == (1, ["secret-coffee"])


async def creates_once(client: LodestarClient, network: Network) -> None:
    network.endings, network.keys = [broken, busy], []
    body = RoomCreate(name="once-only", visibility="private")
    room = unwrap(await create_room.asyncio(client=client.api, body=body))
    assert (len(network.keys), len(set(network.keys))) == (3, 1)
    page = unwrap(await list_rooms.asyncio(client=client.api, name="once-only", mine=True))
    assert [each.id for each in page.items] == [room.id]


async def repeats_only_what_is_safe(client: LodestarClient, network: Network) -> None:
    network.endings, network.sent = [broken], []
    with pytest.raises(httpx.ReadError):
        await update_me.asyncio(client=client.api, body=OwnUserUpdate(name="Grace H."))
    assert len(network.sent) == 1
    cleared = unwrap(await update_me.asyncio(client=client.api, body=OwnUserUpdate(name=None)))
    assert cleared.name is None
    await client.get(URL.replace("127.0.0.1", "localhost") + "/health/live")
    assert "Authorization" not in network.sent[-1].headers
    network.endings = [lambda answer: httpx.Response(502, headers={"Content-Type": "text/html"})]
    with pytest.raises(ProblemError, match="status 502"):
        await get_me.asyncio(client=client.api)


async def names_what_is_refused(client: LodestarClient) -> None:
    with pytest.raises(ProblemError) as refused:
        unwrap(await create_room.asyncio(client=client.api, body=RoomCreate(name="No Room")))
    assert (refused.value.status, refused.value.code) == (422, "validation_failed")
    assert [(each.pointer, each.code) for each in refused.value.errors] == [("/name", "invalid_format")]


async def keeps_what_it_does_not_know(client: LodestarClient, network: Network) -> None:
    """A newer service has more values, and more members."""
    [room] = unwrap(await list_rooms.asyncio(client=client.api, name="coffee")).items
    newer = {**room.to_dict(), "visibility": "by_invitation", "color": "red"}
    problem = {
        "type": "/problems/no-tea",
        "title": "No tea",
        "status": 409,
        "code": "no_tea",
        "detail": "None is left.",
    }
    problem |= {"instance": "/api/v1/rooms", "request_id": "a-request"}
    network.endings = [lambda _: httpx.Response(200, json=newer), lambda _: httpx.Response(409, json=problem)]
    assert unwrap(await get_room.asyncio(room.id, client=client.api)).visibility == "by_invitation"
    with pytest.raises(ProblemError) as refused:
        unwrap(await create_room.asyncio(client=client.api, body=RoomCreate(name="tea-for-two")))
    assert refused.value.code == "no_tea"


async def hears_a_message(client: LodestarClient) -> None:
    [room] = unwrap(await list_rooms.asyncio(client=client.api, name="coffee")).items
    async with client.realtime() as realtime, asyncio.timeout(60):
        channel = await realtime.subscribe(f"room:{room.id}")
        body = MessageCreate(data={"text": "Ahoy"})
        unwrap(await create_room_message.asyncio(room.id, client=client.api, body=body))
        async for happening in channel:
            if isinstance(happening, Event):
                assert happening.data == {"text": "Ahoy"}
                break


async def forgets_a_session_that_has_ended(client: LodestarClient) -> None:
    stale = client.tokens
    await client.sign_out()
    client.tokens = stale
    with pytest.raises(ProblemError) as refused:
        unwrap(await get_me.asyncio(client=client.api))
    assert refused.value.code == "invalid_token"
    assert client.tokens is None
