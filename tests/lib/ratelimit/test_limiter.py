import pytest

from app.lib.ratelimit.counters import MemoryCounters
from app.lib.ratelimit.limiter import (
    Limit,
    NamedLimit,
    RateLimiter,
    Verdict,
    client_key,
    network_key,
    rate_limit_headers,
)

pytestmark = pytest.mark.usefixtures("clock")

ONE = NamedLimit("one", Limit(1, 60))


async def test_switched_off_it_allows_all_hits_and_counts_none() -> None:
    counters = MemoryCounters()
    limiter = RateLimiter(counters, enabled=False)

    for _ in range(3):
        assert (await limiter.hit(ONE, "a")).allowed
    await limiter.give_back([(ONE, "a")])
    assert len(counters) == 0


async def test_windows_of_different_keys_do_not_start_at_the_same_time() -> None:
    limiter = RateLimiter(MemoryCounters())
    hour = NamedLimit("hour", Limit(5, 3600))

    assert len({(await limiter.hit(hour, str(number))).reset_after_seconds for number in range(50)}) > 25


@pytest.mark.parametrize(
    ("text", "amount", "seconds"),
    [
        ("600/minute", 600, 60),
        ("30 per hour", 30, 3600),
        ("10 per 15 minutes", 10, 900),
        ("5/second", 5, 1),
        (" 2 PER Day ", 2, 86400),
    ],
)
def test_a_limit_is_read_from_words(text: str, amount: int, seconds: int) -> None:
    assert Limit.parse(text) == Limit(amount, seconds)


@pytest.mark.parametrize(
    "text", ["", "many", "600", "600/", "600/fortnight", "-5/minute", "1.5/minute", "5/second; 600/minute", "5/s,9/s"]
)
def test_what_is_no_single_limit_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a rate limit; write it like '600/minute'"):
        Limit.parse(text)


@pytest.mark.parametrize("text", ["0/minute", "99999999999/minute", "5 per 2 years"])
def test_a_limit_out_of_range_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="out of range"):
        Limit.parse(text)


def test_a_limit_prints_as_what_it_allows() -> None:
    assert str(Limit.parse("10 per 15 minutes")) == "10 per 900 seconds"
    assert Limit.parse(str(Limit.parse("10 per 15 minutes"))) == Limit(10, 900)


@pytest.mark.parametrize("name", ["", "Auth", 'a"b', "a:b", "a\r\nb", "9a", "a" * 41])
def test_a_name_that_could_break_a_header_or_a_key_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="cannot name a rate limit"):
        NamedLimit(name, Limit(1, 1))


def test_a_refusal_says_when_to_come_back() -> None:
    verdict = Verdict(NamedLimit("auth", Limit(1, 60)), allowed=False, remaining=0, reset_after_seconds=17)

    assert verdict.refusal().status == 429
    assert verdict.refusal().headers == {"Retry-After": "17"}


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("::ffff:cb00:7109", "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:DB8:1:2::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
        ("", "unknown"),
        (None, "unknown"),
        ("testclient", "unknown"),
        ("203.0.113.9:4711", "203.0.113.9"),
        ("[2001:db8:1:2::1]:443", "2001:db8:1:2::/64"),
        ("203.0.113.9:port", "unknown"),
        ("203.0.113.009", "unknown"),
        ("fe80::1%" + "x" * 100, "unknown"),
        ("1.2.3.4\x00", "unknown"),
    ],
)
def test_client_key(address: str | None, key: str) -> None:
    assert client_key(address) == key


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("203.0.113.9", "203.0.113.0/24"),
        ("::ffff:203.0.113.9", "203.0.113.0/24"),
        ("2001:db8:1:2::1", "2001:db8:1::/48"),
        ("2001:db8:1:ffff::1", "2001:db8:1::/48"),
        ("", None),
        (None, None),
    ],
)
def test_network_key(address: str | None, key: str | None) -> None:
    assert network_key(address) == key


def test_headers_list_the_policies_in_the_order_given() -> None:
    default = Verdict(NamedLimit("default", Limit(600, 60)), allowed=True, remaining=590, reset_after_seconds=12)
    auth = Verdict(NamedLimit("auth", Limit(30, 60)), allowed=False, remaining=0, reset_after_seconds=3)

    assert rate_limit_headers([default, auth]) == [
        (b"ratelimit-policy", b'"default";q=600;w=60, "auth";q=30;w=60'),
        (b"ratelimit", b'"default";r=590;t=12, "auth";r=0;t=3'),
    ]
