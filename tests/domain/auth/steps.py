"""What tests of sign-in do again and again."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Iterable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Any, TypeVar
from uuid import UUID

import argon2
import httpx
import pytest
from litestar import Litestar
from sqlalchemy import Row, select, update

from app.domain.accounts.models import User
from app.domain.accounts.services.passwords import Passwords
from app.domain.auth.models import Session
from app.lib.db.reader import PostgreSQLDriver
from tests.support.apps import client_of, core_of
from tests.support.audit import audited as audited  # noqa: PLC0414 - tests take it from here
from tests.support.people import PASSWORD

T = TypeVar("T")

LOGIN = "/api/v1/auth/login"
REFRESH = "/api/v1/auth/refresh"
REGISTER = "/api/v1/auth/register"
ME = "/api/v1/users/me"
VERIFY = "/api/v1/auth/verify-email"
SEND_CODE = f"{VERIFY}/send-code"
FORGOT, RESET = "/api/v1/auth/forgot-password", "/api/v1/auth/reset-password"
MY_EMAIL, CHANGE, REVERT = f"{ME}/email", "/api/v1/auth/change-email", "/api/v1/auth/revert-email"

OTHER_PASSWORD = "an even finer day"
WRONG_LINK = {"/token": "invalid_choice"}

STRANGER = "198.51.100.9"
"""An address from where no user is signed in."""

_VARYING = {"x-request-id", "x-process-time", "ratelimit"}


async def sign_in(client: httpx.AsyncClient, username: str, password: str = PASSWORD) -> httpx.Response:
    """By the OAuth2 form."""
    return await client.post(LOGIN, data={"username": username, "password": password})


async def sign_in_from(app: Litestar, address: str, username: str, password: str = PASSWORD) -> httpx.Response:
    """As a client at that address."""
    async with client_of(app, address=address) as client:
        return await sign_in(client, username, password)


async def refresh(client: httpx.AsyncClient, token: str) -> httpx.Response:
    return await client.post(REFRESH, json={"refresh_token": token})


async def whoami(client: httpx.AsyncClient, access_token: str) -> httpx.Response:
    return await client.get(ME, headers=bearer(access_token))


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def shown(response: httpx.Response) -> tuple[int, dict[str, Any], dict[str, str]]:
    """All that a client learns from a response, but for what differs between any two requests."""
    body = response.json()
    body.pop("request_id", None)
    return response.status_code, body, {k: v for k, v in response.headers.items() if k not in _VARYING}


def fields(response: httpx.Response) -> dict[str, str]:
    """The codes of a problem's field errors by pointer."""
    return {error["pointer"]: error["code"] for error in response.json()["errors"]}


async def session_row(app: Litestar, session_id: UUID) -> Row[Any]:
    async with core_of(app).database.independent() as unit:
        return (await unit.session.execute(select(Session.__table__).where(Session.id == session_id))).one()


async def sessions_of(app: Litestar, user_id: UUID) -> list[Row[Any]]:
    """All that the table has, ended ones too."""
    async with core_of(app).database.independent() as unit:
        return list(await unit.session.execute(select(Session.__table__).where(Session.user_id == user_id)))


async def change_user(app: Litestar, user_id: UUID, **values: Any) -> None:
    """Behind the back of the service: nothing is signalled."""
    async with core_of(app).database.independent() as unit:
        await unit.session.execute(update(User).where(User.id == user_id).values(**values))


async def user_row(app: Litestar, user_id: UUID) -> Row[Any]:
    async with core_of(app).database.independent() as unit:
        return (await unit.session.execute(select(User.__table__).where(User.id == user_id))).one()


async def emails(app: Litestar) -> list[str]:
    async with core_of(app).database.independent() as unit:
        return list((await unit.session.execute(select(User.email).order_by(User.email))).scalars())


async def a_few_at_a_time(calls: Iterable[Awaitable[T]]) -> list[T]:
    """All results, in order. A machine that runs much else is not made to time out by it."""
    waiting, results = list(calls), list[T]()
    while waiting:
        results += await asyncio.gather(*waiting[:6])
        del waiting[:6]
    return results


async def warm(*apps: Litestar) -> None:
    """Opens the connections that a rush of requests will use, one by one: all at once may take too long elsewhere."""
    for app in apps:
        database = core_of(app).database
        driver = database._driver
        async with AsyncExitStack() as held:
            for _ in range(1 if database.url.is_sqlite else database.options.pool_size):
                _ = await held.enter_async_context(database.engine.connect())
                if isinstance(driver, PostgreSQLDriver):
                    held.callback(driver._free.put_nowait, await driver._acquire())


def without_purges(statements: list[str]) -> list[str]:
    """Less what a worker does once a minute, with any request that it has then."""
    return [each for each in statements if not ("DELETE FROM rate_limits" in each and "LIMIT" in each)]


@contextmanager
def argon2_runs() -> Iterator[list[str]]:
    """Names the runs of argon2 inside the block, as they end; the work is done for real."""
    seen: list[str] = []
    hasher: Any = argon2.PasswordHasher
    originals = {name: getattr(hasher, name) for name in ("hash", "verify")}

    def counting(name: str) -> Any:
        def run(*args: Any, **options: Any) -> Any:
            try:
                return originals[name](*args, **options)
            finally:
                seen.append(name)

        return run

    with pytest.MonkeyPatch.context() as patch:
        for name in originals:
            patch.setattr(hasher, name, counting(name))
        yield seen


@asynccontextmanager
async def full_queue(app: Litestar) -> AsyncIterator[None]:
    """Inside the block every thread that hashes passwords is held up, and no more work may queue."""
    gate = threading.Event()
    hasher = core_of(app).services.get(Passwords).hasher
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(argon2.PasswordHasher, "hash", lambda *_: str(gate.wait(60)))
        work = [asyncio.create_task(hasher.verify_dummy("anything")) for _ in range(200)]
        await asyncio.sleep(0)
        try:
            yield
        finally:
            gate.set()
            await asyncio.gather(*work, return_exceptions=True)
