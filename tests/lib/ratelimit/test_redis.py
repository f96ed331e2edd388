import pytest
from redis.asyncio import SSLConnection, UnixDomainSocketConnection
from redis.asyncio.connection import Connection

from app.lib.ratelimit.redis import RedisCounters


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("redis://:pw@cache.example:7000/3", Connection),
        ("valkey://:pw@cache.example:7000/3", Connection),
        ("rediss://:pw@cache.example:7000/3", SSLConnection),
        ("valkeys://:pw@cache.example:7000/3", SSLConnection),
        ("unix://:pw@/run/valkey.sock?db=3", UnixDomainSocketConnection),
    ],
)
async def test_both_spellings_of_a_url_are_understood(url: str, kind: type) -> None:
    counters = RedisCounters(url)
    pool = counters._pool

    assert pool.connection_class is kind
    assert pool.connection_kwargs["db"] == 3
    assert pool.connection_kwargs["password"] == "pw"
    assert pool.connection_kwargs["socket_timeout"] == 0.5
    assert pool.connection_kwargs.get("host", "cache.example") == "cache.example"
    await counters.close()


def test_what_is_no_url_is_refused() -> None:
    with pytest.raises(ValueError, match="must specify one of the following schemes"):
        RedisCounters("localhost:6379")
