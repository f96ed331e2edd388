"""The rig: every test that asks for an app gets it on SQLite and on PostgreSQL."""

import gc
import os
import signal
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack
from itertools import count

import httpx
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, settings
from litestar import Litestar

from app.asgi import DOMAINS
from app.lib.db.url import DatabaseURL
from app.lib.domain import Domain
from tests.support.apps import Deployment, client_of, core_of, forget, fresh, running_app
from tests.support.databases import empty, own_database, postgresql_server
from tests.support.people import People, Person

gc.disable()  # until everything is imported and collected, which leaves little to free

os.environ.pop("UV_RUN_RECURSION_DEPTH", None)  # commands in messages begin with `uv run` where that runs

pytest_plugins = ["tests.support.fixtures"]

# What takes how long is for benchmarks to say: the machine may have other work.
settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")

_FREEZE_EVERY = 300
_WAITING = (
    "tests/served/",
    "tests/faults/",
    "tests/flows/",
    "tests/cli/",
    "tests/lib/jobs/",
    "tests/test_platforms.py",
)
"""Tests that wait for processes, jobs and clocks."""
_finished = count(1)

# What the developer's shell has set must not change what is tested. Processes that may not keep their bytecode compile
# every module again, which takes each of them three seconds.
for _name in ("DATABASE_URL", "SECRET_KEY", "ENVIRONMENT", "REDIS_URL", "PYTHONDONTWRITEBYTECODE"):
    os.environ.pop(_name, None)
# Nor what `nohup` or a job in the background ignores, which the processes that tests start would ignore, too.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "caller(kind): who calls: anonymous, user, superuser, or permission codes")
    config.addinivalue_line("markers", "asvs(*ids): the OWASP ASVS 5.0 requirements that the test shows")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Half of the processes begin with those that wait: in the meantime the others use the processor, and none of those
    that wait is left at the end. Each process is given a part of the list to begin with.
    """
    waiting = [item for item in items if item.nodeid.startswith(_WAITING)]
    others = [item for item in items if not item.nodeid.startswith(_WAITING)]
    processes = int(getattr(config, "workerinput", {}).get("workercount", 1))
    shares = max(processes // 2, 1)
    share, part = -(-len(waiting) // shares), len(items) // processes
    items.clear()
    for first in range(0, len(waiting), share or 1):
        begin, others = others[: max(part - share, 0)], others[max(part - share, 0) :]
        items += [*waiting[first : first + share], *begin]
    items += others


def pytest_collection_finish() -> None:
    """What was imported and collected by now stays: looking through it again and again takes a tenth of the time."""
    _freeze()
    gc.enable()
    # Old objects are looked through between tests only: it takes so long that a waiting client gives up.
    gc.set_threshold(20_000, 20, 1_000_000)


def pytest_runtest_logfinish() -> None:
    """Every now and then."""
    if next(_finished) % _FREEZE_EVERY == 0:
        _freeze()


def _freeze() -> None:
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> Iterator[DatabaseURL]:
    """A migrated database of this test process."""
    with own_database(request) as url:
        yield url


@pytest.fixture(scope="session")
def postgresql() -> Iterator[object]:
    """The server, started when the first test needs it."""
    with postgresql_server() as url:
        yield url


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared_app(database_url: DatabaseURL) -> AsyncIterator[Litestar]:
    """One started app for all tests of a database."""
    async with running_app(database_url) as app:
        yield app


@pytest_asyncio.fixture
async def app(shared_app: Litestar) -> AsyncIterator[Litestar]:
    """The app, with an empty database and no memories. Blocking calls in its handlers are errors."""
    async with fresh(shared_app):
        yield shared_app


@pytest_asyncio.fixture
async def client(app: Litestar) -> AsyncIterator[httpx.AsyncClient]:
    """An anonymous client."""
    async with client_of(app) as client:
        yield client


@pytest.fixture
def people(app: Litestar) -> People:
    """Makes accounts."""
    return People(app)


@pytest_asyncio.fixture
async def caller(request: pytest.FixtureRequest, people: People) -> Person | None:
    """Who ``@pytest.mark.caller`` says; a plain user without it."""
    marker = request.node.get_closest_marker("caller")
    kinds: tuple[str, ...] = marker.args if marker else ("user",)
    if kinds == ("anonymous",):
        return None
    if kinds == ("superuser",):
        return await people.create(is_superuser=True)
    return await people.create(permissions=[kind for kind in kinds if ":" in kind])


@pytest_asyncio.fixture
async def calls(people: People, caller: Person | None) -> AsyncIterator[httpx.AsyncClient]:
    """A client signed in as the caller."""
    async with people.client(caller) as client:
        yield client


@pytest.fixture
def domains() -> Sequence[Domain]:
    """Of the apps of a ``deployment``; a folder or a module that needs less says so by a fixture of its own."""
    return DOMAINS


@pytest_asyncio.fixture
async def deployment(
    shared_app: Litestar, database_url: DatabaseURL, domains: Sequence[Domain]
) -> AsyncIterator[Deployment]:
    """For tests that need other settings, or more than one worker."""
    await empty(core_of(shared_app).database)
    await forget(shared_app)
    async with AsyncExitStack() as stack:
        yield Deployment(database_url, stack, domains)
