"""The wire format over HTTP: what comes in is strict, what goes out is only what the Struct names."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Generic, TypeVar, cast
from uuid import UUID

import httpx
import msgspec
import pytest
from litestar import Controller, Litestar, Response, delete, get, patch, post
from litestar.exceptions import ImproperlyConfiguredException, ValidationException
from litestar.openapi.spec import OpenAPI
from litestar.params import FromPath, FromQuery, HeaderParameter, JSONBody, QueryParameter, URLEncodedBody
from litestar.response import Redirect
from litestar.typing import FieldDefinition
from msgspec import UNSET, Meta, Struct, UnsetType

from app.lib.decoding import litestar_errors
from app.lib.dto import FormDTO, Input, Output, StructDTO, changes, parse_form
from app.lib.errors import AppError, BadRequest, ValidationFailed
from app.lib.fields import Bio, Email, Name, Password, SingleLine, Timestamp
from app.lib.struct_schema import StructSchemaPlugin

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
ID = UUID("0193a3c4-5b6d-7e8f-9a0b-1c2d3e4f5a6b")
T = TypeVar("T")


class Role(StrEnum):
    ADMIN = "admin"
    MEMBER = "member"


class Address(Input):
    street: SingleLine


class UserCreate(Input):
    email: Email
    password: Password
    name: Name | None = None
    role: Role = Role.MEMBER
    joined_at: Timestamp | UnsetType = UNSET
    addresses: Annotated[list[Address], Meta(max_length=3)] = msgspec.field(default_factory=list[Address])


class UserUpdate(Input):
    name: Name | UnsetType = UNSET
    bio: Bio | None | UnsetType = UNSET


class AddressRead(Output):
    street: SingleLine


class UserRead(Output):
    id: UUID
    email: Email
    created_at: Timestamp
    addresses: Annotated[list[AddressRead], Meta(max_length=3)]


class Envelope(Struct, Generic[T], kw_only=True):
    items: Annotated[list[T], Meta(description="What is on the page.")]
    total: int


class UserPage(Envelope[UserRead]):
    pass


@dataclass
class AddressEntity:
    street: str
    owner_id: int = 1


@dataclass
class UserEntity:
    email: str = "ada@example.com"
    id: UUID = ID
    created_at: datetime = NOW
    addresses: list[AddressEntity] = field(default_factory=lambda: [AddressEntity("Main St")])
    password_hash: str = "$argon2id$secret"


class UserRow(UserRead):
    password_hash: str


READ = {
    "id": str(ID),
    "email": "ada@example.com",
    "created_at": "2026-01-31T12:00:00Z",
    "addresses": [{"street": "Main St"}],
}
GOOD = {"email": "ada@example.com", "password": "secret"}


def a_read(kind: type[UserRead] = UserRead, **more: Any) -> UserRead:
    street = AddressRead(street="Main St")
    return kind(id=ID, email="ada@example.com", created_at=NOW, addresses=[street], **more)


class UserController(Controller):
    path = "/users"
    dto = StructDTO[UserCreate]
    return_dto = StructDTO[UserRead]

    @post()
    async def create(self, data: JSONBody[UserCreate]) -> UserEntity:
        return UserEntity(email=data.email)

    @post("/bulk")
    async def create_many(
        self, data: JSONBody[Annotated[list[UserCreate], Meta(min_length=1, max_length=2)]]
    ) -> list[UserEntity]:
        return [UserEntity(email=user.email) for user in data]

    @post("/maybe", return_dto=None)
    async def create_perhaps(self, data: JSONBody[UserCreate | None] = None) -> bool:
        return data is not None

    @patch(dto=StructDTO[UserUpdate], return_dto=None)
    async def update(self, data: JSONBody[UserUpdate]) -> dict[str, Any]:
        return changes(data)

    @delete("/{user_id:uuid}", dto=None, return_dto=None)
    async def remove(self, user_id: FromPath[UUID]) -> None:
        assert user_id == ID


class AnswerController(Controller):
    path = "/answers"
    return_dto = StructDTO[UserRead]

    @get("/row")
    async def row(self) -> UserRead:
        return a_read(UserRow, password_hash="secret")

    @get("/rows")
    async def rows(self) -> Sequence[UserRead]:
        return [a_read(), a_read(UserRow, password_hash="secret")]

    @get("/nothing")
    async def nothing(self) -> UserEntity | None:
        return None

    @get("/empty")
    async def empty(self) -> list[Annotated[UserEntity, "a note"]]:
        return []

    @get("/page")
    async def page(self) -> UserPage:
        return UserPage(items=[a_read()], total=1)

    @get("/generic")
    async def generic(self) -> Envelope[UserEntity]:
        return Envelope(items=[UserEntity()], total=1)

    @get("/response")
    async def response(self) -> Response[UserEntity]:
        return Response(UserEntity(), headers={"X-Seen": "yes"}, status_code=202)

    @get("/dict")
    async def mapping(self) -> dict[str, Any]:
        return {**READ, "created_at": NOW, "id": ID, "password_hash": "secret"}

    @get("/misfit")
    async def misfit(self) -> UserEntity:
        return UserEntity(email="")

    @get("/moved")
    async def moved(self) -> Redirect:
        return Redirect("/elsewhere")

    @get("/text")
    async def text(self) -> str:
        return "plain"


class Login(Input):
    username: SingleLine
    password: Password
    scope: Annotated[str, Meta(max_length=200)] = ""
    remember: bool = False


@post("/login", dto=FormDTO[Login], return_dto=None)
async def login(data: JSONBody[Login]) -> list[Any]:
    return [data.username, data.remember]


@post("/form", dto=StructDTO[Login], return_dto=None)
async def form(data: URLEncodedBody[Login]) -> list[Any]:
    return [data.username, data.remember]


@get("/search")
async def search(
    size: Annotated[int, QueryParameter(ge=1, le=100)],
    since: FromQuery[datetime | None] = None,
    if_match: Annotated[int, HeaderParameter(name="If-Match")] = 0,
) -> list[Any]:
    return [size, since, if_match]


def refuse(_: Any, error: Exception) -> Response[Any]:
    known = ValidationFailed(litestar_errors(error)) if isinstance(error, ValidationException) else error
    assert isinstance(known, AppError)
    return Response({"code": known.code, "errors": known.errors}, status_code=known.status)


@pytest.fixture(scope="module")
def app() -> Litestar:
    handlers: list[Any] = [UserController, AnswerController, login, form, search]
    return Litestar(
        handlers,
        exception_handlers={AppError: refuse, ValidationException: refuse},
        plugins=[StructSchemaPlugin()],
    )


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
    assert (await client.post("/users/bulk", json=[GOOD])).json() == [READ]
    assert errors(await client.post("/users/bulk", json=[])) == {"": "too_short"}
    assert errors(await client.post("/users/bulk", json=[GOOD] * 3)) == {"": "too_long"}
    assert errors(await client.post("/users/bulk", json=[GOOD, {"email": "x@y"}])) == {"/1/password": "required"}


@pytest.mark.parametrize("raw", [b"{", b"\xff", b"[" * 100_000, b'{"email":"\\ud800"}', '{"email":1}'.encode("utf-16")])
async def test_what_is_no_json_is_400(client: httpx.AsyncClient, raw: bytes) -> None:
    response = await client.post("/users", content=raw)
    assert (response.status_code, response.json()["code"]) == (400, "malformed_json")


# Forms


@pytest.mark.parametrize("path", ["/login", "/form"])
async def test_forms_are_read(client: httpx.AsyncClient, path: str) -> None:
    fields = {"username": "ada", "password": "a+b&c=%", "remember": "true", "scope": ""}
    assert (await client.post(path, data=fields)).json() == ["ada", True]
    assert errors(await client.post(path, data={"username": "", "x": "1"})) == {
        "/username": "too_short",
        "/password": "required",
        "/x": "unknown_field",
    }
    assert errors(await client.post(path, data={"username": ["a", "b"], "password": "p"})) == {
        "/username": "invalid_type"
    }
    assert errors(await client.post(path, data={"username": "a\0", "password": "\0"})) == {
        "/username": "invalid_format",
        "/password": "invalid_format",
    }


async def test_where_forms_are_read_json_is_read_as_well(client: httpx.AsyncClient) -> None:
    assert (await client.post("/login", json={"username": "ada", "password": "p"})).json() == ["ada", False]
    assert errors(await client.post("/login", json={"username": "ada", "password": "p", "remember": "true"})) == {
        "/remember": "invalid_type"
    }
    assert (await client.post("/login", data={"username": "ada", "password": "p"})).status_code == 201


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
        ("rows", [READ, READ]),
        ("nothing", None),
        ("empty", []),
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
    page = UserPage(items=[a_read()], total=1)
    one, many, response = a_read(), [a_read(), a_read()], Response(a_read())
    content = response.content
    dto = StructDTO[UserRead]
    assert dto.is_supported_model_type_field(FieldDefinition.from_annotation(UserPage))
    encode = dto(cast("Any", None)).data_to_encodable_type  # answers need no connection
    assert [encode(each) is each for each in (page, one, many, response)] == [True] * 4
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


def test_the_application_does_not_start_when_the_answer_has_no_dto_of_its_own() -> None:
    @post("/", dto=StructDTO[UserUpdate])
    async def handler(data: JSONBody[UserUpdate]) -> UserRead:
        return a_read(**changes(data))

    with pytest.raises(ImproperlyConfiguredException, match=r"UserRead needs return_dto=StructDTO\[UserRead\]"):
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
    assert answer("/answers/nothing") == {"oneOf": [read, {"type": "null"}]}
    assert answer("/answers/rows") == answer("/answers/empty") == {"type": "array", "items": read}
    assert answer("/answers/page") == {"$ref": "#/components/schemas/UserPage"}
    assert answer("/answers/generic") == {"$ref": "#/components/schemas/UserReadEnvelope"}
    assert msgspec.json.encode(schema)
