"""A small application with every kind of body and answer."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Generic, TypeVar
from uuid import UUID

import msgspec
from litestar import Controller, Litestar, Response, delete, get, patch, post
from litestar.exceptions import ValidationException
from litestar.params import FromPath, FromQuery, HeaderParameter, JSONBody, QueryParameter, URLEncodedBody
from litestar.response import Redirect
from msgspec import UNSET, Meta, Struct, UnsetType

from app.lib.errors import AppError, ValidationFailed
from app.lib.http.problems import litestar_errors
from app.lib.security.fields import Email, Password
from app.lib.wire.dto import FormDTO, Input, Output, StructDTO, provided
from app.lib.wire.fields import Bio, Name, SingleLine, Timestamp
from app.lib.wire.struct_schema import StructSchemaPlugin

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
GOOD = {"email": "ada@example.com", "password": "a secret of mine"}


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

    @post("/bulk", return_dto=StructDTO[UserPage])
    async def create_many(
        self, data: JSONBody[Annotated[list[UserCreate], Meta(min_length=1, max_length=2)]]
    ) -> UserPage:
        return UserPage(items=[a_read() for _ in data], total=len(data))

    @post("/maybe", return_dto=None)
    async def create_perhaps(self, data: JSONBody[UserCreate | None] = None) -> bool:
        return data is not None

    @patch(dto=StructDTO[UserUpdate], return_dto=None)
    async def update(self, data: JSONBody[UserUpdate]) -> dict[str, Any]:
        return provided(data)

    @delete("/{user_id:uuid}", dto=None, return_dto=None)
    async def remove(self, user_id: FromPath[UUID]) -> None:
        assert user_id == ID


class AnswerController(Controller):
    path = "/answers"
    return_dto = StructDTO[UserRead]

    @get("/row")
    async def row(self) -> UserRead:
        return a_read(UserRow, password_hash="secret")

    @get("/page", return_dto=StructDTO[UserPage])
    async def page(self) -> UserPage:
        return UserPage(items=[a_read()], total=1)

    @get("/generic", return_dto=StructDTO[Envelope[UserRead]])
    async def generic(self) -> Envelope[UserRead]:
        return Envelope(items=[a_read()], total=1)

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
    return Response({"code": known.code.value, "errors": known.errors}, status_code=known.status)


def make_app() -> Litestar:
    handlers: list[Any] = [UserController, AnswerController, login, form, search]
    return Litestar(
        handlers,
        exception_handlers={AppError: refuse, ValidationException: refuse},
        plugins=[StructSchemaPlugin()],
    )
