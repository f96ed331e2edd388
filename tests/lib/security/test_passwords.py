import asyncio
from threading import Event
from typing import NoReturn

import argon2
import pytest
from argon2.exceptions import HashingError

from app.lib.errors import Unavailable
from app.lib.security.passwords import PasswordHasher

pytestmark = pytest.mark.asvs("11.4.2")


def quick(*, max_concurrency: int = 2, max_queue: int = 64) -> PasswordHasher:
    return PasswordHasher(time_cost=1, memory_cost=8, max_concurrency=max_concurrency, max_queue=max_queue)


async def occupy(hasher: PasswordHasher, gate: Event) -> asyncio.Task[bool]:
    """Keep a thread of the hasher busy until the gate opens."""
    task = asyncio.create_task(hasher._in_thread(gate.wait))
    await asyncio.sleep(0)
    return task


async def test_defaults_are_argon2id_with_owasp_parameters() -> None:
    encoded = await PasswordHasher().hash("correct horse battery staple")

    assert encoded.startswith("$argon2id$v=19$m=19456,t=2,p=1$")


async def test_a_password_matches_its_own_hash_only() -> None:
    hasher = quick()
    encoded = await hasher.hash("correct horse battery staple")

    assert await hasher.verify(encoded, "correct horse battery staple") is True
    assert await hasher.verify(encoded, "correct horse battery stable") is False


async def test_the_same_password_hashes_differently_each_time() -> None:
    hasher = quick()

    assert await hasher.hash("secret phrase") != await hasher.hash("secret phrase")


@pytest.mark.parametrize(
    ("password", "variant"),
    [
        ("trailing space ", "trailing space"),
        (" leading space", "leading space"),
        ("line end\n", "line end"),
        ("Mixed Case", "mixed case"),
        ("\ufb01rst", "first"),
        ("null\x00byte", "null"),
        ("x" * 72 + "tail", "x" * 72),
        ("y" * 1023 + "a", "y" * 1023 + "b"),
    ],
)
async def test_passwords_are_verified_exactly_as_given__asvs_6_2_8(password: str, variant: str) -> None:
    hasher = quick()
    encoded = await hasher.hash(password)

    assert await hasher.verify(encoded, password) is True
    assert await hasher.verify(encoded, variant) is False


COMPOSED, DECOMPOSED = "sch\u00f6ne gr\u00fcne T\u00fcr", "scho\u0308ne gru\u0308ne Tu\u0308r"


async def test_composed_and_decomposed_spellings_are_the_same_password__asvs_6_2_8() -> None:
    hasher = quick()
    for made_of in (COMPOSED, DECOMPOSED):
        encoded = await hasher.hash(made_of)
        assert await hasher.verify(encoded, COMPOSED) is True
        assert await hasher.verify(encoded, DECOMPOSED) is True
        assert await hasher.verify(encoded, "schone grune Tur") is False


async def test_a_hash_of_a_decomposed_spelling_that_was_stored_before_stays_good() -> None:
    encoded = argon2.PasswordHasher(1, 8, 1).hash(DECOMPOSED)

    assert await quick().verify(encoded, DECOMPOSED) is True


async def test_two_spellings_cost_the_same_for_all_accounts__asvs_6_3_8(monkeypatch: pytest.MonkeyPatch) -> None:
    hasher = quick()
    good, other = await hasher.hash(COMPOSED), await hasher.hash("another phrase")
    made = count_hashes(monkeypatch)
    verified: list[str] = []
    original = argon2.PasswordHasher.verify

    def counted(self: argon2.PasswordHasher, encoded: str, password: str | bytes) -> bool:
        verified.append(encoded)
        return original(self, encoded, password)

    monkeypatch.setattr(argon2.PasswordHasher, "verify", counted)
    await hasher.verify_dummy(DECOMPOSED)
    await hasher.verify(good, DECOMPOSED)
    await hasher.verify(other, DECOMPOSED)

    assert len(made) == 2
    assert verified == [good, good, other, other]


async def test_a_lone_surrogate_is_refused_when_hashed_and_matches_nothing() -> None:
    hasher = quick()
    encoded = await hasher.hash("\U0001f600 password")

    with pytest.raises(ValueError, match="surrogates not allowed"):
        await hasher.hash("\ud83d\ude00 password")
    assert await hasher.verify(encoded, "\ud83d\ude00 password") is False
    await hasher.verify_dummy("\ud83d")


@pytest.mark.parametrize(
    "encoded",
    [
        "",
        "plain text",
        "pässwörd",
        "$2b$12$abcdefghijklmnopqrstuv",
        "$argon2id$",
        "$argon2id$v=19$m=8,t=1,p=1$c2FsdA$###",
        "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ",
    ],
)
async def test_a_corrupt_hash_matches_nothing_and_wants_a_new_one(
    encoded: str, caplog: pytest.LogCaptureFixture
) -> None:
    hasher = quick()

    assert await hasher.verify(encoded, "anything") is False
    assert hasher.needs_rehash(encoded) is True
    assert not caplog.records


@pytest.mark.parametrize("encoded", ["", "$argon2id$v=19$m=8,t=1,p=1$c2FsdA$###"])
async def test_an_unreadable_hash_costs_one_run_of_argon2__asvs_6_3_8(
    encoded: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hasher = quick()
    runs = count_hashes(monkeypatch)

    await hasher.verify(encoded, "anything")

    assert len(runs) == 1


async def test_an_unknown_account_costs_one_run_of_argon2_with_the_same_parameters__asvs_6_3_8(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hasher = quick()
    runs = count_hashes(monkeypatch)

    await hasher.verify_dummy("anything")

    assert len(runs) == 1
    assert hasher.needs_rehash(runs[0]) is False


def count_hashes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collect the hashes that argon2 makes."""
    made: list[str] = []
    original = argon2.PasswordHasher.hash

    def counted(self: argon2.PasswordHasher, password: str | bytes) -> str:
        made.append(original(self, password))
        return made[-1]

    monkeypatch.setattr(argon2.PasswordHasher, "hash", counted)
    return made


async def test_a_hash_with_weaker_parameters_is_to_be_renewed() -> None:
    encoded = await quick().hash("correct horse battery staple")
    stronger = PasswordHasher(time_cost=2, memory_cost=16)

    assert quick().needs_rehash(encoded) is False
    assert stronger.needs_rehash(encoded) is True
    assert await stronger.verify(encoded, "correct horse battery staple") is True


async def test_argon2i_is_to_be_renewed() -> None:
    encoded = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1, type=argon2.Type.I).hash("old")

    assert await quick().verify(encoded, "old") is True
    assert quick().needs_rehash(encoded) is True


async def test_beyond_the_queue_every_call_is_unavailable_at_once() -> None:
    hasher = quick(max_concurrency=1, max_queue=1)
    encoded = await hasher.hash("secret")
    gate = Event()
    running = await occupy(hasher, gate)
    waiting = asyncio.create_task(hasher.verify(encoded, "secret"))
    await asyncio.sleep(0)

    for call in (hasher.hash("secret"), hasher.verify(encoded, "secret"), hasher.verify_dummy("secret")):
        with pytest.raises(Unavailable) as refused:
            await call
        assert refused.value.status == 503
        assert refused.value.headers["Retry-After"] == "1"

    gate.set()
    assert await running is True
    assert await waiting is True
    assert await hasher.verify(encoded, "secret") is True


async def test_giving_up_while_waiting_frees_the_place() -> None:
    hasher = quick(max_concurrency=1, max_queue=1)
    gate = Event()
    running = await occupy(hasher, gate)
    waiting = asyncio.create_task(hasher.hash("secret"))
    await asyncio.sleep(0)

    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    next_in_line = asyncio.create_task(hasher.hash("secret"))
    await asyncio.sleep(0)
    gate.set()

    assert await running is True
    assert (await next_in_line).startswith("$argon2id$")


async def test_giving_up_while_running_keeps_the_place_until_the_thread_is_done() -> None:
    hasher = quick(max_concurrency=1, max_queue=0)
    gate = Event()
    running = await occupy(hasher, gate)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    with pytest.raises(Unavailable):
        await hasher.hash("secret")

    gate.set()
    await asyncio.to_thread(hasher._threads.submit(lambda: None).result)
    assert (await hasher.hash("secret")).startswith("$argon2id$")


def test_one_hasher_serves_several_event_loops() -> None:
    hasher = quick()
    encoded = asyncio.run(hasher.hash("secret"))

    assert asyncio.run(hasher.verify(encoded, "secret")) is True


async def test_want_of_memory_is_a_passing_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_memory(*_: object, **__: object) -> NoReturn:
        raise HashingError("Memory allocation error")

    monkeypatch.setattr(argon2.PasswordHasher, "hash", no_memory)

    with pytest.raises(Unavailable):
        await quick().hash("secret")
