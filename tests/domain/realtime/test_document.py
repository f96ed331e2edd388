"""The AsyncAPI document: a file by hand, which says what the frames are and what is sent."""

from collections.abc import Iterator
from inspect import cleandoc
from typing import Any, get_args

import httpx
import jsonschema_rs
import msgspec
import pytest
from litestar import Litestar

from app.domain.realtime.controllers.document import realtime_document
from app.lib.openapi.patterns import make_portable
from app.lib.realtime.errors import FrameCode
from app.lib.realtime.frames import ClientFrame, CloseCode, Event, ServerFrame, decode_frame
from app.lib.settings import WebAddress
from tests.contract.routes import DOCUMENT as OPENAPI
from tests.domain.realtime.steps import channel_of, make_room
from tests.support.apps import Deployment, client_of
from tests.support.people import Person
from tests.support.sockets import SocketClient, connected

DOCUMENT = realtime_document(WebAddress("http://127.0.0.1:8000"), "Lodestar", "1.0")
MESSAGES: dict[str, Any] = DOCUMENT["components"]["messages"]
FROM_CLIENT = {frame.__name__: frame for frame in get_args(ClientFrame)}
FROM_SERVER = {frame.__name__: frame for frame in get_args(ServerFrame)}


def references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        yield from ([part["$ref"]] if "$ref" in part else [])
        part = list(part.values())
    if isinstance(part, list):
        for each in part:
            yield from references(each)


def resolve(reference: str) -> Any:
    found: Any = DOCUMENT
    for step in reference.removeprefix("#/").split("/"):
        found = found[step]
    return found


def named(messages: list[dict[str, str]]) -> set[str]:
    return {each["$ref"].rpartition("/")[2] for each in messages}


def is_valid(name: str, value: Any) -> bool:
    schema = {**MESSAGES[name]["payload"], "components": DOCUMENT["components"]}
    return jsonschema_rs.validator_for(schema).is_valid(value)


def test_references_lead_to_something() -> None:
    assert all(resolve(reference) for reference in references(DOCUMENT))


def test_the_socket_carries_every_frame_and_each_has_its_operation() -> None:
    on_socket = [each for each in DOCUMENT["operations"].values() if each["channel"]["$ref"] == "#/channels/socket"]
    received = {name for each in on_socket if each["action"] == "receive" for name in named(each["messages"])}
    answers = {name for each in on_socket if "reply" in each for name in named(each["reply"]["messages"])}
    sent = {name for each in on_socket if each["action"] == "send" for name in named(each["messages"])}

    assert set(DOCUMENT["channels"]["socket"]["messages"]) == FROM_CLIENT.keys() | FROM_SERVER.keys()
    assert received == FROM_CLIENT.keys()
    assert answers | sent == FROM_SERVER.keys()


def test_schemas_are_those_of_the_frames() -> None:
    """When this fails, copy the schemas of the frames into the document."""
    frames = (*FROM_CLIENT.values(), *FROM_SERVER.values())
    _, schemas = msgspec.json.schema_components(frames, ref_template="#/components/schemas/{name}")
    for schema in schemas.values():
        if text := schema.get("description"):
            schema["description"] = " ".join(cleandoc(text).split()).replace("``", "`")
        if "data" in schema.get("properties", {}):
            schema["properties"]["data"]["description"] = "Any JSON."

    make_portable(schemas)
    assert DOCUMENT["components"]["schemas"] == schemas


@pytest.mark.parametrize("name", [*FROM_CLIENT, *FROM_SERVER])
def test_examples_are_decoded_by_the_frames(name: str) -> None:
    examples = [example["payload"] for example in MESSAGES[name]["examples"]]
    assert examples
    for value in examples:
        text = msgspec.json.encode(value)
        if name in FROM_CLIENT:
            assert type(decode_frame(text.decode())) is FROM_CLIENT[name]
            assert not is_valid(name, {**value, "surplus": 1})
        else:
            assert msgspec.json.decode(msgspec.json.encode(msgspec.json.decode(text, type=FROM_SERVER[name]))) == value
        assert is_valid(name, value)
        assert not is_valid(name, {**value, "type": "weather"})


def test_all_codes_are_listed() -> None:
    assert {each["code"] for each in DOCUMENT["x-close-codes"]} == {code.value for code in CloseCode}
    assert set(DOCUMENT["components"]["schemas"]["FrameCode"]["enum"]) == {code.value for code in FrameCode}


async def conversation(socket: SocketClient, room: str) -> dict[str, Any]:
    """One frame of each type that a client gets in the course of it."""
    sent: list[dict[str, Any]] = [
        {"type": "subscribe", "channel": room, "ref": "1"},
        {"type": "publish", "channel": room, "data": {"text": "Ahoy"}, "ref": "2"},
        {"type": "ping", "ref": "3"},
        {"type": "publish", "channel": "posts", "data": None, "ref": "4"},
        {"type": "unsubscribe", "channel": room, "ref": "5"},
    ]
    for frame in sent:
        await socket.send(**frame)
    received: dict[str, Any] = {}
    while "unsubscribed" not in received:
        frame = await socket.receive()
        received[frame["type"]] = frame
    return received


async def test_what_is_sent_is_what_the_document_says(app: Litestar, calls: httpx.AsyncClient, caller: Person) -> None:
    room = channel_of(await make_room(calls))
    async with connected(app, token=caller.access_token) as socket:
        received = await conversation(socket, room)

    assert {"subscribed", "ack", "event", "pong", "error", "unsubscribed"} <= received.keys()
    for type_, frame in received.items():
        assert any(is_valid(name, frame) for name in FROM_SERVER if MESSAGES[name]["name"] == type_), frame


async def test_it_is_served_and_the_openapi_document_leads_to_it(client: httpx.AsyncClient) -> None:
    answer = await client.get("/docs/asyncapi.json")
    again = await client.get("/docs/asyncapi.json", headers={"If-None-Match": answer.headers["etag"]})
    openapi = (await client.get("/docs/openapi.json")).json()

    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["channels"] == DOCUMENT["channels"]
    assert again.status_code == 304
    assert "(/docs/asyncapi.json)" in openapi["info"]["description"]


async def test_it_names_the_public_address_of_the_service(deployment: Deployment) -> None:
    app = await deployment.start(PUBLIC_URL="https://api.example.com")
    async with client_of(app) as client:
        servers = (await client.get("/docs/asyncapi.json")).json()["servers"]

    assert [(each["protocol"], each["host"]) for each in servers.values()] == [
        ("wss", "api.example.com"),
        ("https", "api.example.com"),
    ]


async def test_it_is_off_where_documentation_is(deployment: Deployment) -> None:
    app = await deployment.start(DOCS="off")
    async with client_of(app) as client:
        assert (await client.get("/docs/asyncapi.json")).status_code == 404


def test_the_event_stream_shows_a_frame() -> None:
    """In the OpenAPI document."""
    [shown] = [
        operation["responses"]["200"]["content"]["text/event-stream"]["example"]
        for item in OPENAPI["paths"].values()
        for operation in item.values()
        if operation["operationId"] == "streamEvents"
    ]
    position, event, data = shown.removesuffix("\n\n").split("\n")

    frame = msgspec.json.decode(data.removeprefix("data: "), type=Event)
    assert msgspec.json.encode(frame).decode() == data.removeprefix("data: ")
    assert (position, event) == (f"id: {frame.channel}={frame.id}", "event: event")
