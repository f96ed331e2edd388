"""Requests per second and CPU per request of the hot reads: ``just bench --help``."""

import argparse
import asyncio
import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from app.asgi import DOMAINS
from app.config import Settings
from app.core import Core
from app.lib.db.url import DatabaseURL
from benchmarks import load
from benchmarks.seed import seed_users
from benchmarks.server import Server, resident_bytes, serving
from tests.support.apps import settings_for
from tests.support.databases import migrate, postgresql_database, postgresql_server, sqlite_database
from tests.support.people import People

PUBLIC_URL = "http://bench.example.com"
ROUTES = ("/health", "/api/v1/users/me", "/api/v1/users?page_size=20&include_total=false", "/api/v1/users?page_size=20")


def main() -> None:
    arguments = _arguments()
    with ExitStack() as stack:
        url = stack.enter_context(_database(arguments.database))
        migrate(url)
        settings = settings_for(url, PUBLIC_URL=PUBLIC_URL)
        environ = {
            "PUBLIC_URL": PUBLIC_URL,
            "DATABASE_URL": url.url.render_as_string(hide_password=False),
            "SECRET_KEY": settings.signing_secret,
            "RATE_LIMIT_DEFAULT": "1000000000/minute",
            "LOG_LEVEL": arguments.log_level,
            "LOG_FORMAT": "json",
            "DATABASE_POOL_SIZE": "10",
        }
        token = asyncio.run(_prepare(settings, arguments.users))
        server = stack.enter_context(serving(environ, workers=arguments.workers))
        rows = [_measure(server, route, token, arguments) for route in ROUTES]
        _report(server, rows, arguments)


@contextmanager
def _database(kind: str) -> Iterator[DatabaseURL]:
    with ExitStack() as stack:
        if kind == "sqlite":
            yield stack.enter_context(sqlite_database())
        else:
            yield stack.enter_context(postgresql_database(stack.enter_context(postgresql_server())))


async def _prepare(settings: Settings, users: int) -> str:
    core = Core(settings, DOMAINS)
    async with core.running():
        await seed_users(core.database, users)
        person = await People(core).create(email="bench@example.com", is_superuser=True)
    return person.access_token


def _measure(server: Server, route: str, token: str, arguments: argparse.Namespace) -> dict[str, object]:
    headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
    size = {"connections": arguments.connections}
    asyncio.run(load.run(server.port, route, headers, seconds=1, **size))
    cpu = server.cpu_seconds()
    result = asyncio.run(load.run(server.port, route, headers, seconds=arguments.seconds, **size))
    return {
        "route": route,
        "requests_per_second": round(result.per_second),
        "cpu_us_per_request": round((server.cpu_seconds() - cpu) / max(result.requests, 1) * 1e6),
        "p50_ms": round(result.quantile(50), 2),
        "p99_ms": round(result.quantile(99), 2),
        "statuses": result.statuses,
    }


def _report(server: Server, rows: list[dict[str, object]], arguments: argparse.Namespace) -> None:
    worker = server.worker_pids[0] if server.worker_pids else server.main_pid
    summary = {
        "database": arguments.database,
        "users": arguments.users,
        "workers": arguments.workers,
        "connections": arguments.connections,
        "cores": os.cpu_count(),
        "ready_seconds": round(server.ready_seconds, 2),
        "worker_rss_mib": round(resident_bytes(worker) / 2**20),
        "routes": rows,
    }
    print(json.dumps(summary, indent=2))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--database", choices=("postgresql", "sqlite"), default="postgresql")
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--log-level", default="info")
    return parser.parse_args()


if __name__ == "__main__":
    main()
