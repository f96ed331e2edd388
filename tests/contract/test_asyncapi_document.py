"""The AsyncAPI document: it says what the frames are, and is the same as the one that is committed."""

from collections.abc import Iterator
from typing import Any, get_args

import httpx
import jsonschema_rs
import msgspec
import pytest

from app.domain.realtime.commands import COMMITTED, render
from app.lib.realtime.document import EXAMPLES
from app.lib.realtime.errors import FrameCode
from app.lib.realtime.frames import ClientFrame, CloseCode, ServerFrame, decode_frame
from tests.support.apps import Deployment, client_of

DOCUMENT: dict[str, Any] = msgspec.json.decode(render())
MESSAGES: dict[str, Any] = DOCUMENT["components"]["messages"]
FROM_CLIENT = {frame.__name__ for frame in get_args(ClientFrame)}
FROM_SERVER = {frame.__name__ for frame in get_args(ServerFrame)}


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


def test_the_committed_document_is_fresh() -> None:
    assert COMMITTED.read_text(encoding="utf-8") == render(), "run: just openapi"


def test_everything_that_is_referred_to_is_there() -> None:
    assert all(resolve(reference) for reference in references(DOCUMENT))


def test_the_socket_carries_every_frame_and_each_has_its_operation() -> None:
    operations = DOCUMENT["operations"].values()
    on_socket = [each for each in operations if each["channel"]["$ref"] == "#/channels/socket"]
    received = {name for each in on_socket if each["action"] == "receive" for name in named(each["messages"])}
    answers = {name for each in on_socket if "reply" in each for name in named(each["reply"]["messages"])}
    sent = {name for each in on_socket if each["action"] == "send" for name in named(each["messages"])}

    assert set(DOCUMENT["channels"]["socket"]["messages"]) == FROM_CLIENT | FROM_SERVER
    assert received == FROM_CLIENT
    assert answers | sent == FROM_SERVER


@pytest.mark.parametrize("frame", EXAMPLES, ids=lambda frame: type(frame).__name__)
def test_examples_are_what_the_schemas_say(frame: Any) -> None:
    name, value = type(frame).__name__, msgspec.json.decode(msgspec.json.encode(frame))

    assert {"payload": value} in MESSAGES[name]["examples"]
    assert is_valid(name, value)
    assert not is_valid(name, {**value, "type": "weather"})


@pytest.mark.parametrize("name", sorted(FROM_CLIENT))
def test_the_document_says_what_the_decoder_takes(name: str) -> None:
    for example in MESSAGES[name]["examples"]:
        assert type(decode_frame(msgspec.json.encode(example["payload"]).decode())).__name__ == name
        assert not is_valid(name, {**example["payload"], "surplus": 1})


def test_every_frame_has_an_example() -> None:
    assert {type(frame).__name__ for frame in EXAMPLES} == FROM_CLIENT | FROM_SERVER


def test_all_codes_are_listed() -> None:
    assert {each["code"] for each in DOCUMENT["x-close-codes"]} == {code.value for code in CloseCode}
    assert set(DOCUMENT["components"]["schemas"]["FrameCode"]["enum"]) == {code.value for code in FrameCode}


async def test_it_is_served_and_the_other_document_leads_to_it(client: httpx.AsyncClient) -> None:
    answer = await client.get("/docs/asyncapi.json")
    again = await client.get("/docs/asyncapi.json", headers={"If-None-Match": answer.headers["etag"]})
    openapi = (await client.get("/docs/openapi.json")).json()

    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["channels"] == DOCUMENT["channels"]
    assert again.status_code == 304
    assert "(/docs/asyncapi.json)" in openapi["info"]["description"]


async def test_it_names_the_address_that_people_know(deployment: Deployment) -> None:
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
