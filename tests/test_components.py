import gc
import warnings
from pathlib import Path

import httpx
import pytest
from sqlalchemy import literal, select

from app.asgi import create_app
from app.components import Components, derive
from app.config import Settings
from app.lib.db.prepared import prepare
from app.lib.db.url import DatabaseURL
from app.lib.ratelimit.memory import MemoryCounters
from app.lib.ratelimit.redis import RedisCounters
from app.lib.ratelimit.table import TableCounters
from app.lib.settings import ConfigurationError
from tests.support.apps import client_of, running, settings_for

SQLITE = DatabaseURL.parse("sqlite:///data/none.db")
POSTGRESQL = DatabaseURL.parse("postgresql://ann@127.0.0.1:1/none")


@pytest.mark.parametrize(
    ("url", "overrides", "general", "sign_in"),
    [
        (SQLITE, {}, MemoryCounters, MemoryCounters),
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
    components = Components(settings_for(url, **overrides))

    assert type(components.general_limiter.storage) is general
    assert type(components.sign_in_limiter.storage) is sign_in
    assert (components.redis_check is None) == ("REDIS_URL" not in overrides)
    await components.close()


def test_each_purpose_has_a_key_of_its_own() -> None:
    components = Components(settings_for(SQLITE))
    purposes = ["cursors", "idempotency", "cursor", "", "cursors "]
    keys = {components.derived_key(purpose) for purpose in purposes}

    assert len(keys) == len(purposes)
    assert {len(key) for key in keys} == {32}
    assert components.derived_key("cursors") == Components(settings_for(SQLITE)).derived_key("cursors")
    assert derive("another secret", "cursors") not in keys
    assert components.settings.signing_secret.encode() not in keys


@pytest.mark.parametrize("text", ["no key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_a_signing_key_that_cannot_be_used_is_one_line(text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Components(settings_for(SQLITE, JWT_PRIVATE_KEY=text))

    assert str(caught.value).startswith("JWT_PRIVATE_KEY: ")
    assert "\n" not in str(caught.value)
    assert "AAAA" not in str(caught.value)


async def use(components: Components) -> None:
    async with components.database.independent() as unit:
        await unit.session.execute(select(literal(1)))
    await components.database.reader.all(prepare(select(literal(1)), int))


async def test_closing_leaves_nothing_open(database_url: DatabaseURL) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        components = Components(settings_for(database_url))
        await components.start()
        await use(components)
        await components.close()
        await components.close()
        del components
        gc.collect()

    assert [str(warning.message) for warning in caught] == []


async def test_an_outage_of_redis_does_not_keep_the_database_open() -> None:
    components = Components(settings_for(SQLITE, REDIS_URL="redis://127.0.0.1:1"))
    await components.start()

    async def fail() -> None:
        raise OSError

    components._redis.close = fail  # type: ignore[union-attr,method-assign]  # stands for a connection that is lost
    with pytest.raises(OSError):  # noqa: PT011 - that one
        await components.close()

    assert components.database._driver._threads is None  # type: ignore[attr-defined]  # SQLite's


async def test_an_app_starts_answers_and_ends_twice_over(database_url: DatabaseURL) -> None:
    for _ in range(2):
        async with running(create_app(settings_for(database_url))) as app, client_of(app) as client:
            ready: httpx.Response = await client.get("/health/ready")
            assert ready.status_code == 200, ready.text


def test_an_app_without_a_secret_makes_one_beside_its_database(tmp_path: Path) -> None:
    settings = settings_for(DatabaseURL.parse(f"sqlite:///{tmp_path}/data/x.db"), SECRET_KEY="")
    first, second = create_app(settings), create_app(settings)

    made: list[Settings] = [app.state.components.settings for app in (first, second)]

    assert made[0].secret_key == made[1].secret_key
    assert (tmp_path / "data" / "secret_key").exists()
