import gc
import warnings
from pathlib import Path

import httpx
import pytest
from sqlalchemy import literal, select

from app.asgi import create_app
from app.config import Settings
from app.core import Core
from app.lib.db.prepared import prepare
from app.lib.db.url import DatabaseURL
from app.lib.ratelimit.counters import MemoryCounters, TableCounters
from app.lib.ratelimit.redis import RedisCounters
from app.lib.settings import ConfigurationError
from tests.support.apps import client_of, core_of, make_core, running, settings_for

SQLITE = DatabaseURL.parse("sqlite:///data/none.db")
POSTGRESQL = DatabaseURL.parse("postgresql://ann@127.0.0.1:1/none")


@pytest.mark.parametrize(
    ("url", "overrides", "general", "sign_in"),
    [
        (SQLITE, {}, MemoryCounters, TableCounters),
        (SQLITE, {"WORKERS": "2"}, MemoryCounters, TableCounters),
        (POSTGRESQL, {}, MemoryCounters, TableCounters),
        (POSTGRESQL, {"WORKERS": "2"}, MemoryCounters, TableCounters),
        (POSTGRESQL, {"REDIS_URL": "redis://127.0.0.1:1"}, RedisCounters, RedisCounters),
        (SQLITE, {"REDIS_URL": "valkey://127.0.0.1:1"}, RedisCounters, RedisCounters),
    ],
)
async def test_what_several_workers_count_together_is_where_all_can_see_it(
    url: DatabaseURL, overrides: dict[str, str], general: type, sign_in: type
) -> None:
    core = make_core(url, **overrides)

    assert type(core.general_limiter.counters) is general
    assert type(core.limiter.counters) is sign_in
    assert (core.redis is None) == ("REDIS_URL" not in overrides)
    async with core.running():
        pass


def test_each_purpose_has_a_key_of_its_own() -> None:
    core = make_core(SQLITE)
    purposes = ["cursors", "idempotency", "cursor", "", "cursors "]
    keys = {core.keys.derive(purpose) for purpose in purposes}

    assert len(keys) == len(purposes)
    assert {len(key) for key in keys} == {32}
    assert core.keys.derive("cursors") == make_core(SQLITE).keys.derive("cursors")
    assert make_core(SQLITE, SECRET_KEY="another-key-that-is-only-for-tests-01234").keys.derive("cursors") not in keys
    assert core.settings.signing_secret.encode() not in keys


@pytest.mark.parametrize("text", ["no key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_a_signing_key_that_cannot_be_used_is_one_line(text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        make_core(SQLITE, JWT_PRIVATE_KEY=text)

    assert str(caught.value).startswith("JWT_PRIVATE_KEY: ")
    assert "\n" not in str(caught.value)
    assert "AAAA" not in str(caught.value)


async def use(core: Core) -> None:
    async with core.database.independent() as unit:
        await unit.session.execute(select(literal(1)))
    await core.database.reader.all(prepare(select(literal(1)), int))


async def test_closing_leaves_nothing_open(database_url: DatabaseURL) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        core = make_core(database_url)
        async with core.running():
            await use(core)
        del core
        gc.collect()

    assert [str(warning.message) for warning in caught] == []


async def test_an_outage_of_redis_does_not_keep_the_database_open() -> None:
    core = make_core(SQLITE, REDIS_URL="redis://127.0.0.1:1")

    async def fail() -> None:
        raise OSError

    core.redis.close = fail  # type: ignore[union-attr,method-assign]  # stands for a connection that is lost
    with pytest.raises(OSError):  # noqa: PT011 - that one
        async with core.running():
            pass

    assert core.database._driver._threads is None  # type: ignore[attr-defined]  # SQLite's


async def test_an_app_starts_and_ends_twice(database_url: DatabaseURL) -> None:
    for _ in range(2):
        async with running(create_app(settings_for(database_url))) as app, client_of(app) as client:
            ready: httpx.Response = await client.get("/health/ready")
            assert ready.status_code == 200, ready.text


def test_an_app_without_a_secret_makes_one_next_to_its_database(tmp_path: Path) -> None:
    settings = settings_for(DatabaseURL.parse(f"sqlite:///{tmp_path}/data/x.db"), SECRET_KEY="")
    first, second = create_app(settings), create_app(settings)

    made: list[Settings] = [core_of(app).settings for app in (first, second)]

    assert made[0].secret_key == made[1].secret_key
    assert (tmp_path / "data" / "secret_key").exists()
