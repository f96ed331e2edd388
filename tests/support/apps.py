"""Apps under test: real ones, on real databases, called in the test's own event loop."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx
from blockbuster import blockbuster_ctx
from litestar import Litestar

from app.asgi import DOMAINS, create_app, load_settings
from app.config import Settings
from app.core import Core
from app.domain.accounts.services.passwords import Passwords
from app.domain.auth.authenticator import SessionAuthenticator
from app.domain.system.readiness import Readiness
from app.lib.db.base import metadata
from app.lib.db.url import DatabaseURL
from app.lib.domain import Domain
from app.lib.observability.logging import configure_logging
from app.lib.openapi.document import DocumentInfo, build_document
from app.lib.ratelimit.counters import MemoryCounters
from app.lib.security.passwords import PasswordHasher
from tests.support.databases import empty
from tests.support.signatures import read_once

read_once()

BASE_URL = "http://testserver"
ADDRESS = "203.0.113.7"

MANY_ORDERS = {"ORDER_MAX_OPEN": "0"}
"""Lets a user place more than they pay for."""

QUICK_HASHES = {"time_cost": 1, "memory_cost": 8, "parallelism": 1}
"""How the apps of tests hash passwords; with OWASP's parameters that takes longer than all else that most tests do."""

NewApp = Callable[..., Any]

_stopped: deque[tuple[Any, Litestar]] = deque(maxlen=12)
"""The apps that were stopped last, and where and with what settings they ran."""


def settings_for(url: DatabaseURL, **overrides: str) -> Settings:
    """Settings as from the environment; nothing of this machine's environment gets in."""
    environ = {
        "DATABASE_URL": url.url.render_as_string(hide_password=False),
        "ENVIRONMENT": "test",
        "SECRET_KEY": "a-key-that-is-only-for-tests-0123456789",
        "LOG_FORMAT": "json",
        "LOG_LEVEL": "warning",
        "DATABASE_POOL_SIZE": "5",
        "JOBS_WORKER": "off",
        **MANY_ORDERS,
        **overrides,
    }
    return load_settings(environ, None)[0]


@asynccontextmanager
async def running(app: Litestar) -> AsyncIterator[Litestar]:
    """Enters and leaves the lifespan in one task, as cancel scopes want it."""
    started, stop = asyncio.Event(), asyncio.Event()

    async def live() -> None:
        async with app.lifespan():
            started.set()
            await stop.wait()

    task = asyncio.create_task(live())
    waiter = asyncio.create_task(started.wait())
    await asyncio.wait({task, waiter}, return_when=asyncio.FIRST_COMPLETED)
    try:
        if not started.is_set():
            waiter.cancel()
            await task
        yield app
    finally:
        stop.set()
        await task


@asynccontextmanager
async def running_app(
    url: DatabaseURL, domains: Sequence[Domain] = DOMAINS, /, **overrides: str
) -> AsyncIterator[Litestar]:
    """A started app on a migrated database. To make one takes a quarter of a second and to start one nothing, so one
    of these settings that a test before has stopped is started again, without its memories. One with less domains is
    made sooner.
    """
    key = (asyncio.get_running_loop(), url, domains, frozenset(overrides.items()))
    app = next((app for stopped, app in reversed(_stopped) if stopped == key), None)
    if app is None:
        app = create_app(settings_for(url, **overrides), domains)
        core_of(app).services.get(Passwords).hasher = PasswordHasher(**QUICK_HASHES)
    else:
        _stopped.remove((key, app))
        settings = core_of(app).settings
        configure_logging(settings.effective_log_level, settings.log_format)
        await forget(app)
    async with running(app):
        yield app
    if not core_of(app).draining.is_set():  # which is for good
        _stopped.append((key, app))


def client_of(app: Litestar, *, address: str = ADDRESS, **options: Any) -> httpx.AsyncClient:
    """A client that calls the app in this event loop; a bug is a 500, as over the network."""
    asgi: Any = app
    transport = httpx.ASGITransport(app=asgi, raise_app_exceptions=False, client=(address, 54321))
    return httpx.AsyncClient(transport=transport, **{"base_url": BASE_URL, **options})


def core_of(owner: Litestar | Core) -> Core:
    """The long-lived objects of an app, or of a process without one."""
    core: Core = owner if isinstance(owner, Core) else owner.state.core
    return core


def described(app: Litestar) -> dict[str, Any]:
    """The app's OpenAPI document."""
    return build_document(app, core_of(app).services.get(DocumentInfo))


def make_core(url: DatabaseURL, **overrides: str) -> Core:
    """The long-lived objects of a process of its own."""
    return Core(settings_for(url, **overrides), DOMAINS)


async def forget(app: Litestar) -> None:
    """Drops what a process remembers between requests."""
    core = core_of(app)
    core.services.get(SessionAuthenticator).forget(None)
    if readiness := core.services.find(Readiness):
        readiness._ask_again_at = 0.0
    core.database.writes.record(metadata.tables)
    for limiter in (core.general_limiter, core.limiter):
        limiter._is_down = False
        for counters in (limiter.counters, limiter._fallback):
            if isinstance(counters, MemoryCounters):  # those in the database went with its rows
                counters._windows.clear()


@asynccontextmanager
async def fresh(app: Litestar) -> AsyncIterator[None]:
    """The app has an empty database and no memories, and blocking calls in its handlers are errors."""
    await empty(core_of(app).database)
    await forget(app)
    with blockbuster_ctx(scanned_modules="app") as guard:
        # asyncpg looks for a password file and keys whenever it opens a connection.
        for name in (
            "os.stat",
            "os.path.abspath",
            "os.path.realpath",
            "io.BufferedReader.read",
            "io.TextIOWrapper.read",
        ):
            if name in guard.functions:
                guard.functions[name].can_block_in("asyncpg/connect_utils.py", "_parse_connect_dsn_and_args")
        # Coverage guards what it has counted so far whenever it meets a new thread.
        guard.functions["threading.Lock.acquire"].can_block_in("coverage/collector.py", "lock_data")
        # Whether the file of the database is still there is a matter of microseconds.
        guard.functions["os.stat"].can_block_in("app/lib/db/sqlite.py", "identity_of")
        yield


class Deployment:
    """Apps on one empty database, each as if in a process of its own; all stop at the end of the test."""

    def __init__(self, url: DatabaseURL, stack: AsyncExitStack, domains: Sequence[Domain]) -> None:
        self.url = url
        self.domains = domains
        self._stack = stack

    async def start(self, **overrides: str) -> Litestar:
        """One more app, with these environment variables."""
        return await self._stack.enter_async_context(running_app(self.url, self.domains, **overrides))
