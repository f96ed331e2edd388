"""A toy with a table of its own on the test's databases: writes that succeed, fail, hang, and fail to commit."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID

import httpx
from litestar import Litestar, Response, get, post
from litestar.di import Provide
from litestar.params import JSONBody
from litestar.response import Stream
from msgspec import Meta
from sqlalchemy import Column, ForeignKey, Integer, MetaData, String, Table, delete, func, insert, select

from app.lib.clock import utc_now
from app.lib.db.engine import Database
from app.lib.db.idempotency import IdempotencyKey
from app.lib.db.uow import UnitOfWork
from app.lib.errors import InvalidState, InvalidToken
from app.lib.http.injection import Injected
from app.lib.http.locations import created
from app.lib.http.problems import exception_handlers
from app.lib.http.rules import RulesMiddleware, declare_rules
from app.lib.http.transaction import IDEMPOTENT, IdempotencyMiddleware, unit_provider
from app.lib.observability.logging import configure_logging
from app.lib.security.bearer import BearerMiddleware
from app.lib.security.policies import authenticated, declare_policies
from app.lib.security.principal import Principal
from app.lib.wire.dto import Input, Output, StructDTO
from tests.lib.http.toys import in_shell
from tests.support.apps import running

SECRET = b"a key for the idempotency digests"
ADA = "0193a3c4-5b6d-7e8f-9a0b-1c2d3e4f5a6b"
BOB = "0193a3c4-5b6d-7e8f-9a0b-1c2d3e4f5a6c"

tables = MetaData()
entries = Table(
    "toy_entries",
    tables,
    Column("id", Integer, primary_key=True),
    Column("text", String(100), nullable=False),
    # Checked at COMMIT and not before, so that it is COMMIT that fails.
    Column("parent_id", Integer, ForeignKey("toy_entries.id", deferrable=True, initially="DEFERRED")),
)


class Entry(Input):
    text: Annotated[str, Meta(max_length=100)]
    parent_id: Annotated[int, Meta(ge=1, le=2**31 - 1)] | None = None


class Written(Output):
    id: int
    text: str


class Gates:
    """Where handlers wait, so that a test decides what happens in between."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.go_on = asyncio.Event()


async def write(unit: UnitOfWork, data: Entry) -> Written:
    row = (
        await unit.session.execute(
            insert(entries).values(text=data.text, parent_id=data.parent_id).returning(entries.c.id)
        )
    ).scalar_one()
    return Written(id=row, text=data.text)


_KIT: dict[str, Any] = {"guards": [authenticated], "dto": StructDTO[Entry], "return_dto": StructDTO[Written]}


@post("/entries", opt=IDEMPOTENT, **_KIT)
async def create(data: JSONBody[Entry], unit: Injected[UnitOfWork]) -> Response[Written]:
    written = await write(unit, data)
    response = created(written, f"/entries/{written.id}")
    response.headers |= {"ETag": '"1"', "X-Other": "not kept"}
    return response


@post("/elsewhere", opt=IDEMPOTENT, **_KIT)
async def create_elsewhere(data: JSONBody[Entry], unit: Injected[UnitOfWork]) -> Written:
    return await write(unit, data)


@post("/plain-entries", **_KIT)
async def create_plainly(data: JSONBody[Entry], unit: Injected[UnitOfWork]) -> Written:
    return await write(unit, data)


@post("/refused-entries", opt=IDEMPOTENT, **_KIT)
async def refuse(data: JSONBody[Entry], unit: Injected[UnitOfWork]) -> Written:
    await write(unit, data)
    raise InvalidState


@post("/buggy-entries", opt=IDEMPOTENT, **_KIT)
async def fail(data: JSONBody[Entry], unit: Injected[UnitOfWork]) -> Written:
    await write(unit, data)
    raise ZeroDivisionError


@post("/answered-no", opt=IDEMPOTENT, **_KIT)
async def answer_no(data: JSONBody[Entry], unit: Injected[UnitOfWork]) -> Response[Written]:
    return Response(await write(unit, data), status_code=409)


@post("/slow-entries", opt=IDEMPOTENT, **_KIT)
async def dawdle(data: JSONBody[Entry], unit: Injected[UnitOfWork], gates: Injected[Gates]) -> Written:
    written = await write(unit, data)
    gates.entered.set()
    await gates.go_on.wait()
    return written


@post("/unwritten", opt=IDEMPOTENT, guards=[authenticated], return_dto=None)
async def write_nothing() -> dict[str, str]:
    return {"said": "hello"}


@post("/streams", guards=[authenticated], return_dto=None)
async def stream(gates: Injected[Gates]) -> Stream:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"one "
        await gates.go_on.wait()
        yield b"two"

    return Stream(chunks(), media_type="text/plain")


@get("/entries", guards=[authenticated])
async def count(unit: Injected[UnitOfWork]) -> int:
    return (await unit.session.execute(select(func.count()).select_from(entries))).scalar_one()


class Names:
    """The token is the user's id."""

    async def authenticate(self, token: str) -> Principal:
        try:
            user_id = UUID(token)
        except ValueError:
            raise InvalidToken from None
        return Principal(
            user_id=user_id,
            session_id=user_id,
            authenticated_at=utc_now() - timedelta(hours=1),
            is_superuser=False,
            permissions=frozenset(),
        )


HANDLERS = (
    create, create_elsewhere, create_plainly, refuse, fail, answer_no, dawdle, write_nothing, stream, count,
)  # fmt: skip


class Ledger:
    """The toy on a database."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.gates = Gates()
        self.app = self._make()

    def _make(self) -> Litestar:
        configure_logging("info", "json")
        app = Litestar(
            route_handlers=list(HANDLERS),
            dependencies={"unit": Provide(unit_provider(self.database)), "gates": Provide(self._provide_gates)},
            middleware=[BearerMiddleware(Names()), RulesMiddleware(), IdempotencyMiddleware(SECRET)],
            exception_handlers=exception_handlers(),
            openapi_config=None,
            logging_config=None,
        )
        declare_policies(app)
        declare_rules(app)
        app.asgi_handler = in_shell(app.asgi_router)
        return app

    async def _provide_gates(self) -> Gates:
        return self.gates

    async def reset(self) -> None:
        """Forgets the last test."""
        self.gates = Gates()
        async with self.database.engine.begin() as connection:
            await connection.execute(delete(entries))
            await connection.execute(delete(IdempotencyKey))

    def client(self, who: str = ADA, **options: Any) -> httpx.AsyncClient:
        asgi: Any = self.app
        transport = httpx.ASGITransport(app=asgi, raise_app_exceptions=False)
        headers = {"Authorization": f"Bearer {who}", **options.pop("headers", {})}
        return httpx.AsyncClient(transport=transport, base_url="http://toy.test", headers=headers, **options)

    async def texts(self) -> list[str]:
        """What is committed."""
        async with self.database.engine.begin() as connection:
            return list((await connection.execute(select(entries.c.text).order_by(entries.c.id))).scalars())

    async def keys(self) -> int:
        """How many idempotency keys are committed."""
        async with self.database.engine.begin() as connection:
            return (await connection.execute(select(func.count()).select_from(IdempotencyKey))).scalar_one()


@asynccontextmanager
async def ledger_on(database: Database) -> AsyncIterator[Ledger]:
    """The toy with its table, which is gone afterwards."""
    async with database.engine.begin() as connection:
        await connection.run_sync(tables.create_all)
    ledger = Ledger(database)
    try:
        async with running(ledger.app):
            yield ledger
    finally:
        await ledger.reset()
        async with database.engine.begin() as connection:
            await connection.run_sync(tables.drop_all)
