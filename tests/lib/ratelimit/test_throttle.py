import asyncio
from collections.abc import Callable, Iterable, Iterator
from itertools import count, islice

import pytest

from app.lib.errors import RateLimited
from app.lib.ratelimit.counters import Counters, MemoryCounters
from app.lib.ratelimit.limiter import Limit, RateLimiter
from app.lib.ratelimit.throttle import Throttle

pytestmark = pytest.mark.usefixtures("clock")

MakeCounters = Callable[[], Counters]
OWNER = "person@example.org"


class LoginThrottle(Throttle):
    name = "login"
    per_account = Limit(6, 3600)
    per_account_and_address = Limit(3, 3600)
    per_address = Limit(9, 3600)
    together = Limit(200, 3600)


class OtherThrottle(LoginThrottle):
    name = "other"


def make_throttle(counters: Counters, kind: type[Throttle] = LoginThrottle, *, enabled: bool = True) -> Throttle:
    return kind(RateLimiter(counters, enabled=enabled))


@pytest.fixture
def throttle() -> Throttle:
    return make_throttle(MemoryCounters())


async def guess(throttle: Throttle, address: str, *, account: str = OWNER, trusted: bool = False) -> bool:
    """One wrong guess; whether it was let through to the verification."""
    try:
        await throttle.check(account, address, trusted=trusted)
    except RateLimited:
        return False
    return True


async def test_one_address_has_few_guesses_at_an_account(throttle: Throttle) -> None:
    assert [await guess(throttle, "192.0.2.1") for _ in range(5)] == [True, True, True, False, False]
    assert await guess(throttle, "192.0.2.2")
    assert await guess(throttle, "192.0.2.1", account="other@example.org")


async def test_a_refusal_says_when_to_come_back(throttle: Throttle) -> None:
    await throttle.check(OWNER, "192.0.2.1")
    await throttle.check(OWNER, "192.0.2.1")
    await throttle.check(OWNER, "192.0.2.1")

    with pytest.raises(RateLimited) as refused:
        await throttle.check(OWNER, "192.0.2.1")
    assert 1 <= int(refused.value.headers["Retry-After"]) <= 3600


async def test_many_addresses_together_have_few_more(throttle: Throttle) -> None:
    assert sum([await guess(throttle, f"192.0.2.{number}") for number in range(20)]) == 6


async def test_one_address_alone_cannot_lock_an_account(throttle: Throttle) -> None:
    for _ in range(50):
        await guess(throttle, "192.0.2.1")

    assert await guess(throttle, "192.0.2.2")


async def test_the_owner_gets_in_from_a_known_device_while_strangers_lock_the_account(throttle: Throttle) -> None:
    for number in range(20):
        await guess(throttle, f"192.0.2.{number}")

    assert not await guess(throttle, "198.51.100.7")
    await throttle.check(OWNER, "198.51.100.7", trusted=True)
    await throttle.succeeded(OWNER, "198.51.100.7")
    assert not await guess(throttle, "198.51.100.8")  # and it opens the account for no other client


async def test_a_known_device_has_its_own_limit(throttle: Throttle) -> None:
    assert [await guess(throttle, "192.0.2.1", trusted=True) for _ in range(4)] == [True, True, True, False]


async def test_a_guess_from_a_known_device_counts_for_the_account_too(throttle: Throttle) -> None:
    for number in range(6):
        assert await guess(throttle, f"192.0.2.{number}", trusted=True)

    assert not await guess(throttle, "198.51.100.7")


async def test_success_forgives_the_address_but_not_the_other_guesses(throttle: Throttle) -> None:
    for number in range(4):
        assert await guess(throttle, f"192.0.2.{number}")
    assert await guess(throttle, "198.51.100.7")
    await throttle.check(OWNER, "198.51.100.7")
    await throttle.succeeded(OWNER, "198.51.100.7")

    assert await guess(throttle, "198.51.100.7")  # the sixth failure for the account
    assert not await guess(throttle, "198.51.100.7")


async def test_signing_in_often_is_no_offence(throttle: Throttle) -> None:
    for _ in range(20):
        await throttle.check(OWNER, "192.0.2.1")
        await throttle.succeeded(OWNER, "192.0.2.1")


async def test_an_attempt_that_was_never_verified_does_not_count(throttle: Throttle) -> None:
    for trusted in (False, True):
        for _ in range(20):
            await throttle.check(OWNER, "192.0.2.1", trusted=trusted)
            await throttle.abandoned(OWNER, "192.0.2.1")


async def test_the_last_attempt_says_so(throttle: Throttle) -> None:
    async def fail(address: str, *, trusted: bool = False) -> bool:
        return await throttle.check(OWNER, address, trusted=trusted)

    assert [await fail("192.0.2.1") for _ in range(3)] == [False, False, True]
    assert [await fail(f"192.0.2.{number}") for number in (2, 3, 4)] == [False, False, True]
    assert [await fail("192.0.2.5", trusted=True) for _ in range(3)] == [False, False, True]


async def test_ipv6_addresses_of_one_subscriber_count_as_one(throttle: Throttle) -> None:
    assert sum([await guess(throttle, f"2001:db8::{number}") for number in range(10)]) == 3


async def many(throttle: Throttle, addresses: Iterable[str], accounts: Iterable[str], *, trusted: bool = False) -> int:
    """How many of these guesses were let through."""
    pairs = zip(addresses, accounts, strict=False)
    return sum([await guess(throttle, each, account=account, trusted=trusted) for each, account in pairs])


def people(start: int = 0) -> Iterator[str]:
    """Accounts without end, each another one."""
    return (f"person{number}@example.org" for number in count(start))


async def test_one_address_has_few_guesses_at_all_accounts_together(throttle: Throttle) -> None:
    assert await many(throttle, ["192.0.2.1"] * 40, people()) == 9
    assert await many(throttle, ["198.51.100.1"] * 2, people()) == 2


async def test_a_network_has_ten_times_as_many_as_an_address(throttle: Throttle) -> None:
    for network in ("2001:db8:7:{:x}::1", "192.0.2.{}"):
        addresses = [network.format(1 + number % 250) for number in range(300)]
        assert await many(throttle, addresses, people()) == 90
        throttle = make_throttle(MemoryCounters())


async def test_everyone_together_is_bounded_and_known_devices_are_not_refused(throttle: Throttle) -> None:
    addresses = [f"{first}.{second}.0.1" for first in range(1, 20) for second in range(13)]

    assert await many(throttle, addresses, people()) == 200
    assert await many(throttle, addresses, people(), trusted=True) == len(addresses)


async def test_mistakes_of_one_person_leave_the_rest_of_the_office_its_attempts(throttle: Throttle) -> None:
    assert await many(throttle, ["192.0.2.1"] * 50, [OWNER] * 50) == 3

    assert await many(throttle, ["192.0.2.1"] * 6, people()) == 6


async def test_who_signs_in_uses_up_nothing_that_others_share(throttle: Throttle) -> None:
    for account in islice(people(), 300):
        await throttle.check(account, "192.0.2.1")
        await throttle.succeeded(account, "192.0.2.1")

    assert await many(throttle, ["192.0.2.1"] * 20, people(1000)) == 9


async def test_throttles_with_other_names_count_apart() -> None:
    storage = MemoryCounters()
    login, forgot = make_throttle(storage), make_throttle(storage, OtherThrottle)

    assert sum([await guess(login, "192.0.2.1") for _ in range(5)]) == 3
    assert sum([await guess(forgot, "192.0.2.1") for _ in range(5)]) == 3


async def test_switched_off_it_refuses_no_client() -> None:
    throttle = make_throttle(MemoryCounters(), enabled=False)

    assert all([await guess(throttle, "192.0.2.1") for _ in range(20)])


async def test_parallel_guesses_do_not_slip_through(make_counters: MakeCounters) -> None:
    processes = [make_throttle(make_counters()) for _ in range(2)]

    async def attempt(number: int) -> bool:
        return await guess(processes[number % 2], f"192.0.2.{number % 20}")

    assert sum(await asyncio.gather(*(attempt(number) for number in range(60)))) == 6


async def test_counters_hold_no_address_in_the_clear() -> None:
    storage = MemoryCounters()
    await guess(make_throttle(storage), "192.0.2.1")

    assert len(storage) == 5
    assert not any("person" in key or "192.0" in key for key in storage._windows)
