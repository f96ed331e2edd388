"""How long a right that was taken away still works, on two real workers: ``just bench-one revocation``.

A user asks on many connections, which reach both workers. Then the user signs out, is deactivated, changes the password
or loses a role. For each connection the figure is the time from the answer to that act to the last request that was
sent after it and still accepted; 0 where the first one was refused.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import httpx

from app.core import Core
from app.lib.db.url import DatabaseURL
from tests.support.apps import make_core
from tests.support.databases import migrate, postgresql_database, postgresql_server
from tests.support.people import PASSWORD, People, Person
from tests.support.processes import NO_TLS, Server, app_command, free_port

_SECRET = "a-key-that-is-only-for-tests-0123456789"  # noqa: S105 - that of tests
_CONNECTIONS = 8
_PATIENCE, _AIM = 3.0, 0.1
Act = Callable[[httpx.AsyncClient, Person, Person], Awaitable[httpx.Response]]


async def _sign_out(client: httpx.AsyncClient, person: Person, _admin: Person) -> httpx.Response:
    return await client.post("/auth/logout", headers=person.headers)


async def _deactivate(client: httpx.AsyncClient, person: Person, admin: Person) -> httpx.Response:
    return await client.post(f"/users/{person.id}/deactivate", headers=admin.headers)


async def _take_role(client: httpx.AsyncClient, person: Person, admin: Person) -> httpx.Response:
    return await client.put(f"/users/{person.id}/roles", json={"roles": []}, headers=admin.headers)


async def _change_password(client: httpx.AsyncClient, person: Person, _admin: Person) -> httpx.Response:
    body = {"current_password": PASSWORD, "new_password": "another fine day to sail"}
    return await client.post("/users/me/password", json=body, headers=person.headers)


ACTS: dict[str, Act] = {
    "sign-out": _sign_out,
    "deactivation": _deactivate,
    "role taken away": _take_role,
    "password changed": _change_password,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.revocation", description=__doc__)
    parser.add_argument("--rounds", type=int, default=40, help="of each act")
    rounds = parser.parse_args().rounds
    with postgresql_server() as server, postgresql_database(server) as url:
        migrate(url)
        asyncio.run(_measure("PostgreSQL", url, rounds))
    with tempfile.TemporaryDirectory() as folder:
        url = DatabaseURL.parse(f"sqlite:///{folder}/bench.db")
        migrate(url)
        asyncio.run(_measure("SQLite", url, rounds))


async def _measure(name: str, url: DatabaseURL, rounds: int) -> None:
    environ = {
        "DATABASE_URL": url.url.render_as_string(hide_password=False),
        "SECRET_KEY": _SECRET,
        "RATE_LIMIT_ENABLED": "false",
        "LOG_LEVEL": "warning",
    }
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        command = app_command("serve", "--port", str(port), "--workers", "2")
        with Server(command, Path(folder), port, environ) as server:
            await asyncio.to_thread(server.until_it_answers, "/health/ready")
            core = make_core(url, PORT=str(port), SECRET_KEY=_SECRET, WORKERS="2")
            try:
                for act_name, act in ACTS.items():
                    windows = [each for _ in range(rounds) for each in await _round(core, port, act)]
                    _report(f"{name}: {act_name}", windows)
            finally:
                await core.database.close()


async def _round(core: Core, port: int, act: Act) -> list[float]:
    people = People(core)
    mark = str(time.time_ns())
    admin = await people.create(email=f"admin{mark}@example.com", is_superuser=True)
    role = f"reader-{mark}"
    await people.role(role, ["users:read"])
    person = await people.create(email=f"person{mark}@example.com", roles=[role])
    async with AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(
                httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}/api/v1", verify=NO_TLS, timeout=30)
            )
            for _ in range(_CONNECTIONS + 1)
        ]
        *askers, actor = clients
        for client in askers:
            assert (await _ask(client, person)).is_success
        response = await act(actor, person, admin)
        assert response.is_success, response.text
        done = time.perf_counter()
        return await asyncio.gather(*(_until_refused(client, person, done) for client in askers))


async def _ask(client: httpx.AsyncClient, person: Person) -> httpx.Response:
    return await client.get("/users", params={"page_size": 1, "include_total": "false"}, headers=person.headers)


async def _until_refused(client: httpx.AsyncClient, person: Person, done: float) -> float:
    last = 0.0
    while last < _PATIENCE:
        sent = time.perf_counter() - done
        if (await _ask(client, person)).status_code in {401, 403}:
            break
        last = sent
    return last


def _report(name: str, windows: list[float]) -> None:
    windows.sort()
    at_once = sum(not each for each in windows) / len(windows)
    within = sum(each <= _AIM for each in windows) / len(windows)
    high, longest = windows[int(len(windows) * 0.99)] * 1000, windows[-1] * 1000
    print(
        f"{name:<30} {len(windows):>5} connections: refused at once {at_once:>6.1%}, within 100 ms {within:>6.1%}; "
        f"99 % within {high:>4.0f} ms, all within {longest:>4.0f} ms",
        flush=True,
    )


if __name__ == "__main__":
    main()
