"""The wire format over HTTP: what comes in is strict, what goes out is only what the Struct names."""

from typing import Any, cast

import httpx
import msgspec
import pytest
from litestar import Litestar, Response, post
from litestar.exceptions import ImproperlyConfiguredException
from litestar.openapi.spec import OpenAPI
from litestar.params import JSONBody
from msgspec import Struct

from app.lib.errors import BadRequest
from app.lib.wire.dto import Input, Output, StructDTO, parse_form, project
from app.lib.wire.fields import Name
from tests.lib.people import GOOD, ID, READ, Login, UserRead, UserUpdate, a_read, make_app


@pytest.fixture(scope="module")
def app() -> Litestar:
    return make_app()


@pytest.fixture
def client(app: Litestar) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(cast("Any", app), raise_app_exceptions=False), base_url="http://test"
    )


def errors(response: httpx.Response) -> dict[str, str]:
    assert response.status_code == 422, response.text
    found = response.json()["errors"]
    return {each.get("pointer", each.get("parameter", each.get("header"))): each["code"] for each in found}


# In


async def test_a_good_body_becomes_the_struct_and_an_entity_becomes_its_struct(client: httpx.AsyncClient) -> None:
    response = await client.post("/users", json=GOOD)
    assert response.status_code == 201
    assert response.json() == READ


async def test_all_field_errors_come_in_one_reply(client: httpx.AsyncClient) -> None:
    body = {"email": "ada", "role": "owner", "joined_at": "2026-01-31T12:00:00", "addresses": [{}, {"x": 1}], "id": 1}
    assert errors(await client.post("/users", json=body)) == {
        "/email": "invalid_format",
        "/password": "required",
        "/role": "invalid_choice",
        "/joined_at": "invalid_format",
        "/addresses/0/street": "required",
        "/addresses/1/street": "required",
        "/addresses/1/x": "unknown_field",
        "/id": "unknown_field",
    }


@pytest.mark.parametrize("media_type", ["application/json", "application/merge-patch+json", "application/vnd.x+json"])
async def test_a_merge_patch_tells_absent_from_null(client: httpx.AsyncClient, media_type: str) -> None:
    headers = {"Content-Type": media_type}
    assert (await client.patch("/users", content="{}", headers=headers)).json() == {}
    assert (await client.patch("/users", content='{"bio":null}', headers=headers)).json() == {"bio": None}
    assert errors(await client.patch("/users", content='{"name":null}', headers=headers)) == {"/name": "invalid_type"}


async def test_a_missing_body_is_required(client: httpx.AsyncClient) -> None:
    for content in (b"", b"  "):
        response = await client.post("/users", content=content)
        assert response.json()["errors"] == [
            {"pointer": "", "code": "required", "detail": "A request body is required."}
        ]


async def test_an_optional_body_may_be_missing_but_not_wrong(client: httpx.AsyncClient) -> None:
    assert (await client.post("/users/maybe")).json() is False
    assert (await client.post("/users/maybe", json=GOOD)).json() is True
    assert errors(await client.post("/users/maybe", json=None, content=b"null")) == {"": "invalid_type"}
    assert "/password" in errors(await client.post("/users/maybe", json={}))


async def test_lists_are_bodies_too(client: httpx.AsyncClient) -> None:
    assert (await client.post("/users/bulk", json=[GOOD])).json() == {"items": [READ], "total": 1}
    assert errors(await client.post("/users/bulk", json=[])) == {"": "too_short"}
    assert errors(await client.post("/users/bulk", json=[GOOD] * 3)) == {"": "too_long"}
    assert errors(await client.post("/users/bulk", json=[GOOD, {"email": "x@y.example"}])) == {
        "/1/password": "required"
    }


@pytest.mark.parametrize("raw", [b"{", b"\xff", b"[" * 100_000, b'{"email":"\\ud800"}', '{"email":1}'.encode("utf-16")])
async def test_what_is_no_json_is_400(client: httpx.AsyncClient, raw: bytes) -> None:
    response = await client.post("/users", content=raw)
    assert (response.status_code, response.json()["code"]) == (400, "malformed_json")


# Forms


@pytest.mark.parametrize("path", ["/login", "/form"])
async def test_forms_are_read(client: httpx.AsyncClient, path: str) -> None:
    fields = {"username": "ada", "password": "a+b&c=%xy", "remember": "true", "scope": ""}
    assert (await client.post(path, data=fields)).json() == ["ada", True]
    assert errors(await client.post(path, data={"username": "", "x": "1"})) == {
        "/username": "too_short",
        "/password": "required",
        "/x": "unknown_field",
    }
    assert errors(await client.post(path, data={"username": ["a", "b"], "password": "a long one"})) == {
        "/username": "invalid_type"
    }
    assert errors(await client.post(path, data={"username": "a\0", "password": "\0correct hor"})) == {
        "/username": "invalid_format",
        "/password": "invalid_format",
    }


async def test_where_forms_are_read_json_is_read_as_well(client: httpx.AsyncClient) -> None:
    assert (await client.post("/login", json={"username": "ada", "password": "a long one"})).json() == ["ada", False]
    assert errors(
        await client.post("/login", json={"username": "ada", "password": "a long one", "remember": "true"})
    ) == {"/remember": "invalid_type"}
    assert (await client.post("/login", data={"username": "ada", "password": "a long one"})).status_code == 201


async def test_hostile_forms_are_refused(client: httpx.AsyncClient) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded; charset=UTF-8"}
    many = "&".join(f"f{number}=1" for number in range(100_000))
    assert errors(await client.post("/login", content=many, headers=headers)) == {"": "too_long"}
    for broken in (b"username=%ff", b"username=\xff", b"username=%ed%a0%80"):
        assert (await client.post("/login", content=broken, headers=headers)).status_code == 400


def test_a_name_that_occurs_again_has_a_list() -> None:
    assert parse_form(b"a=1&b=&a=2&a=3&%C3%A9=%2B+") == {"a": ["1", "2", "3"], "b": "", "é": "+ "}
    with pytest.raises(BadRequest):
        parse_form(b"a=%ff")


# Out


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("row", READ),
        ("page", {"items": [READ], "total": 1}),
        ("generic", {"items": [READ], "total": 1}),
        ("response", READ),
        ("dict", READ),
    ],
)
async def test_only_what_the_struct_names_leaves(client: httpx.AsyncClient, path: str, expected: Any) -> None:
    response = await client.get(f"/answers/{path}")
    assert response.json() == expected
    assert (response.status_code, response.headers.get("x-seen")) == (
        (202, "yes") if path == "response" else (200, None)
    )


async def test_what_is_not_for_the_struct_is_left_alone(client: httpx.AsyncClient) -> None:
    assert (await client.get("/answers/text")).text == "plain"
    assert (await client.get("/answers/moved")).headers["location"] == "/elsewhere"
    assert (await client.delete(f"/users/{ID}")).status_code == 204


async def test_an_entity_that_does_not_fit_is_a_fault_of_ours(client: httpx.AsyncClient) -> None:
    assert (await client.get("/answers/misfit")).status_code == 500


def test_what_is_the_struct_already_is_passed_on_untouched() -> None:
    one, response = a_read(), Response(a_read())
    content = response.content
    encode = StructDTO[UserRead](cast("Any", None)).data_to_encodable_type  # answers need no connection
    assert encode(one) is one
    assert encode(response) is response
    assert response.content is content


def test_the_repr_of_an_input_holds_no_values() -> None:
    assert repr(Login(username="ada", password="hunter2")) == "Login(username, password, scope, remember)"
    assert repr(UserUpdate(bio=None)) == "UserUpdate(bio)"


# Parameters


async def test_parameters_that_do_not_fit_are_all_named(client: httpx.AsyncClient) -> None:
    response = await client.get("/search?size=0&since=x", headers={"If-Match": "y"})
    assert errors(response) == {"size": "too_small", "since": "invalid_format", "If-Match": "invalid_type"}
    assert errors(await client.get("/search")) == {"size": "required"}


# Declarations


class Open(Struct):
    name: Name


class Loose(Input):
    note: str
    count: int
    tags: list[Name]


@pytest.mark.parametrize(
    ("struct", "words"),
    [
        (Open, "Open takes unknown members"),
        (
            Loose,
            "Loose.note has no maximum length; Loose.count is a number without .*; Loose.tags has no maximum length",
        ),
    ],
)
def test_the_application_does_not_start_with_a_loose_body(struct: Any, words: str) -> None:
    @post("/", dto=StructDTO[struct], return_dto=None)
    async def handler(data: JSONBody[struct]) -> None:
        assert data

    with pytest.raises(ImproperlyConfiguredException, match=words):
        Litestar([handler])


@pytest.mark.parametrize("answer", [UserRead, Response[UserRead], list[UserUpdate], UserUpdate | None])
def test_the_application_does_not_start_when_the_answer_has_no_dto_of_its_own(answer: Any) -> None:
    @post("/", dto=StructDTO[UserUpdate])
    async def handler(data: JSONBody[UserUpdate]) -> answer:
        raise AssertionError(data)

    with pytest.raises(ImproperlyConfiguredException, match=r"A handler that returns \w+ needs return_dto=StructDTO"):
        Litestar([handler])


def test_openapi_names_the_structs(app: Litestar) -> None:
    document: OpenAPI = app.openapi_schema
    schema = document.to_schema()

    def answer(path: str) -> Any:
        return next(iter(schema["paths"][path]["get"]["responses"]["200"]["content"].values()))["schema"]

    read = {"$ref": "#/components/schemas/UserRead"}
    body = schema["paths"]["/users"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert body == {"$ref": "#/components/schemas/UserCreate"}
    bulk = schema["paths"]["/users/bulk"]["post"]
    assert bulk["requestBody"]["content"]["application/json"]["schema"] == {
        "type": "array",
        "items": body,
        "minItems": 1,
        "maxItems": 2,
    }
    assert schema["paths"]["/users/maybe"]["post"]["requestBody"]["content"]["application/json"]["schema"] == body
    assert answer("/answers/row") == answer("/answers/response") == answer("/answers/dict") == read
    assert answer("/answers/page") == {"$ref": "#/components/schemas/UserPage"}
    assert answer("/answers/generic") == {"$ref": "#/components/schemas/UserEnvelope"}
    assert msgspec.json.encode(schema)


# From what is stored to what is shown


class Ship(Output):
    name: str
    masts: int
    crew: list[str]


class Hull:
    name, masts, secret = "Beagle", 3, "a leak"


def test_what_has_the_same_name_is_shown_and_the_rest_is_given() -> None:
    assert project(Ship, Hull(), crew=["Charles"]) == Ship(name="Beagle", masts=3, crew=["Charles"])
    assert project(Ship, Hull(), crew=[], masts=2).masts == 2


def test_a_member_that_no_source_has_is_an_error() -> None:
    with pytest.raises(AttributeError):
        project(Ship, Hull())
    with pytest.raises(TypeError):
        project(Ship, Hull(), crew=[], sails=9)
