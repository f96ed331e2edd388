"""``Idempotency-Key`` on creations, as clients see it."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from sqlalchemy import select

from app.lib.clock import utc_now
from app.lib.db.idempotency import IdempotencyKey, purge_idempotency_keys
from tests.lib.http.ledger import ADA, BOB, Ledger
from tests.support.waiting import PATIENCE

KEY = {"Idempotency-Key": "order-1"}
ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""For what the database has no part in."""


async def test_a_retry_gets_the_first_answer(ledger: Ledger) -> None:
    async with ledger.client(headers=KEY) as client:
        first = await client.post("/entries", json={"text": "one"})
        second = await client.post("/entries", json={"text": "one"})

    assert first.status_code == second.status_code == 201
    assert second.content == first.content
    for name in ("location", "etag", "content-type", "content-length"):
        assert second.headers[name] == first.headers[name]
    assert "idempotency-replayed" not in first.headers
    assert second.headers["idempotency-replayed"] == "true"
    assert second.headers["x-request-id"] != first.headers["x-request-id"]
    assert await ledger.texts() == ["one"]


@ON_SQLITE
async def test_a_replay_of_a_replay_is_one_too(ledger: Ledger) -> None:
    async with ledger.client(headers=KEY) as client:
        replies = [await client.post("/entries", json={"text": "one"}) for _ in range(4)]

    assert [reply.headers.get("idempotency-replayed") for reply in replies] == [None, "true", "true", "true"]
    assert len({reply.content for reply in replies}) == 1


@ON_SQLITE
async def test_without_a_key_every_request_counts(ledger: Ledger) -> None:
    async with ledger.client() as client:
        for _ in range(2):
            assert (await client.post("/entries", json={"text": "one"})).status_code == 201

    assert await ledger.texts() == ["one", "one"]
    assert await ledger.keys() == 0


async def test_another_body_is_422(ledger: Ledger) -> None:
    async with ledger.client(headers=KEY) as client:
        await client.post("/entries", json={"text": "one"})
        response = await client.post("/entries", json={"text": "two"})

    assert response.status_code == 422
    assert response.json()["code"] == "idempotency_key_reused"
    assert await ledger.texts() == ["one"]


@ON_SQLITE
async def test_a_key_is_the_callers_own(ledger: Ledger) -> None:
    for who in (ADA, BOB):
        async with ledger.client(who, headers=KEY) as client:
            response = await client.post("/entries", json={"text": who})
            assert "idempotency-replayed" not in response.headers

    assert await ledger.texts() == [ADA, BOB]


@ON_SQLITE
async def test_a_key_belongs_to_one_path(ledger: Ledger) -> None:
    async with ledger.client(headers=KEY) as client:
        await client.post("/entries", json={"text": "here"})
        response = await client.post("/elsewhere", json={"text": "there"})

    assert response.status_code == 201
    assert await ledger.texts() == ["here", "there"]


async def test_only_successes_are_kept(ledger: Ledger) -> None:
    async with ledger.client(headers=KEY) as client:
        for path, status in (("/refused-entries", 409), ("/buggy-entries", 500), ("/answered-no", 409)):
            for _ in range(2):
                response = await client.post(path, json={"text": "no"})
                assert response.status_code == status
                assert "idempotency-replayed" not in response.headers

    assert await ledger.keys() == 0
    assert await ledger.texts() == []


@ON_SQLITE
async def test_a_refused_body_does_not_use_the_key_up(ledger: Ledger) -> None:
    async with ledger.client(headers=KEY) as client:
        assert (await client.post("/entries", json={"text": 1})).status_code == 422
        assert (await client.post("/entries", json={"text": "one"})).status_code == 201


@ON_SQLITE
async def test_who_is_not_signed_in_uses_no_key_up(ledger: Ledger) -> None:
    async with ledger.client("stranger", headers=KEY) as client:
        assert (await client.post("/entries", json={"text": "one"})).status_code == 401
    async with ledger.client(headers=KEY) as client:
        del client.headers["Authorization"]
        assert (await client.post("/entries", json={"text": "one"})).status_code == 401

    assert await ledger.keys() == 0


async def test_parallel_requests_do_the_work_once(ledger: Ledger) -> None:
    async with ledger.client(headers=KEY) as client:
        replies = await asyncio.gather(*[client.post("/entries", json={"text": "one"}) for _ in range(20)])

    assert {reply.status_code for reply in replies} == {201}
    assert len({reply.content for reply in replies}) == 1
    assert sum("idempotency-replayed" not in reply.headers for reply in replies) == 1
    assert await ledger.texts() == ["one"]


async def test_the_second_waits_for_the_first(ledger: Ledger) -> None:
    async with ledger.client(headers=KEY) as client:
        first = asyncio.create_task(client.post("/slow-entries", json={"text": "one"}))
        await asyncio.wait_for(ledger.gates.entered.wait(), PATIENCE)
        second = asyncio.create_task(client.post("/slow-entries", json={"text": "one"}))
        await asyncio.sleep(0.2)
        assert not second.done()
        ledger.gates.go_on.set()
        replies = await asyncio.gather(first, second)

    assert [reply.status_code for reply in replies] == [201, 201]
    assert [reply.headers.get("idempotency-replayed") for reply in replies] == [None, "true"]
    assert await ledger.texts() == ["one"]


async def test_waiting_too_long_is_answered_with_retry_after(ledger: Ledger) -> None:
    """On PostgreSQL. On SQLite the second waits for the one connection that writes, for as long as others do."""
    async with ledger.client(headers=KEY) as client:
        first = asyncio.create_task(client.post("/slow-entries", json={"text": "one"}))
        await asyncio.wait_for(ledger.gates.entered.wait(), PATIENCE)
        second = asyncio.create_task(client.post("/slow-entries", json={"text": "one"}))
        if not ledger.database.url.is_sqlite:
            await second
        ledger.gates.go_on.set()
        assert (await first).status_code == 201
        reply = await second

    assert await ledger.texts() == ["one"]
    if ledger.database.url.is_sqlite:
        assert reply.headers["idempotency-replayed"] == "true"
    else:
        assert (reply.status_code, reply.json()["code"]) == (409, "idempotency_in_progress")
        assert int(reply.headers["retry-after"]) >= 1


async def test_another_body_waits_too_and_is_then_refused(ledger: Ledger) -> None:
    async with ledger.client(headers=KEY) as client:
        first = asyncio.create_task(client.post("/slow-entries", json={"text": "one"}))
        await asyncio.wait_for(ledger.gates.entered.wait(), PATIENCE)
        second = asyncio.create_task(client.post("/slow-entries", json={"text": "two"}))
        ledger.gates.go_on.set()
        assert (await first).status_code == 201
        assert (await second).status_code == 422

    assert await ledger.texts() == ["one"]


async def test_when_the_first_fails_the_second_does_the_work(ledger: Ledger) -> None:
    async with ledger.client(headers=KEY) as client:
        first = asyncio.create_task(client.post("/slow-entries", json={"text": "one"}))
        await asyncio.wait_for(ledger.gates.entered.wait(), PATIENCE)
        second = asyncio.create_task(client.post("/slow-entries", json={"text": "one"}))
        await asyncio.sleep(0.05)
        first.cancel()
        ledger.gates.go_on.set()
        reply = await second

    assert reply.status_code == 201
    assert "idempotency-replayed" not in reply.headers
    assert await ledger.texts() == ["one"]


async def test_keys_are_good_for_24_hours(ledger: Ledger) -> None:
    async with ledger.client(headers=KEY) as client:
        with time_machine.travel(utc_now(), tick=False) as clock:
            await client.post("/entries", json={"text": "one"})
            clock.shift(timedelta(hours=23, minutes=59))
            late = await client.post("/entries", json={"text": "one"})
            clock.shift(timedelta(minutes=2))
            too_late = await client.post("/entries", json={"text": "two"})
            again = await client.post("/entries", json={"text": "two"})

    assert late.headers["idempotency-replayed"] == "true"
    assert (too_late.status_code, again.status_code) == (201, 201)
    assert "idempotency-replayed" not in too_late.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert await ledger.texts() == ["one", "two"]


async def test_old_keys_are_purged_and_others_stay(ledger: Ledger) -> None:
    async with ledger.client() as client:
        with time_machine.travel(utc_now(), tick=False) as clock:
            await client.post("/entries", json={"text": "one"}, headers={"Idempotency-Key": "old"})
            clock.shift(timedelta(hours=24, seconds=1))
            await client.post("/entries", json={"text": "one"}, headers={"Idempotency-Key": "new"})
            async with ledger.database.independent() as unit:
                await purge_idempotency_keys(unit)

    assert await ledger.keys() == 1


async def test_neither_key_nor_body_is_kept_in_the_clear(ledger: Ledger) -> None:
    async with ledger.client(headers={"Idempotency-Key": "a-key-to-recognise"}) as client:
        await client.post("/entries", json={"text": "kept only in the answer"})

    async with ledger.database.engine.begin() as connection:
        row = (await connection.execute(select(IdempotencyKey.digest, IdempotencyKey.fingerprint))).one()
    assert len(row.digest) == len(row.fingerprint) == 32
    assert b"recognise" not in row.digest + row.fingerprint


@ON_SQLITE
@pytest.mark.parametrize("key", ["", "x" * 256, "tab\there", "schlüssel", "\x7f"])
async def test_a_bad_key_is_named(ledger: Ledger, key: str) -> None:
    async with ledger.client() as client:
        headers = [(b"Idempotency-Key", key.encode())]
        response = await client.post("/entries", json={"text": "one"}, headers=headers)

    assert response.status_code == 422
    assert [(e["header"], e["code"]) for e in response.json()["errors"]] == [("Idempotency-Key", "invalid_format")]
    assert await ledger.texts() == []


@ON_SQLITE
async def test_a_key_is_sent_once(ledger: Ledger) -> None:
    async with ledger.client() as client:
        headers = [("Idempotency-Key", "a"), ("Idempotency-Key", "b")]
        response = await client.post("/entries", json={"text": "one"}, headers=headers)

    assert response.status_code == 422
    assert response.json()["errors"][0]["header"] == "Idempotency-Key"


@ON_SQLITE
@pytest.mark.parametrize("key", ["x", "x" * 255, "spaces and ~!@#$%^&*()"])
async def test_any_printable_key_will_do(ledger: Ledger, key: str) -> None:
    async with ledger.client(headers={"Idempotency-Key": key}) as client:
        replies = [await client.post("/entries", json={"text": "one"}) for _ in range(2)]

    assert [reply.headers.get("idempotency-replayed") for reply in replies] == [None, "true"]


@ON_SQLITE
async def test_routes_that_do_not_offer_it_ignore_a_key(ledger: Ledger) -> None:
    async with ledger.client(headers=KEY) as client:
        for _ in range(2):
            assert (await client.post("/plain-entries", json={"text": "one"})).status_code == 201

    assert await ledger.texts() == ["one", "one"]
    assert await ledger.keys() == 0


@ON_SQLITE
async def test_a_route_that_opens_no_transaction_has_nothing_to_repeat(ledger: Ledger) -> None:
    async with ledger.client(headers=KEY) as client:
        replies = [await client.post("/unwritten") for _ in range(2)]

    assert [reply.status_code for reply in replies] == [201, 201]
    assert await ledger.keys() == 0


@ON_SQLITE
async def test_a_stream_is_not_held_back(ledger: Ledger) -> None:
    """The first part is out before the second exists, key or no key."""
    parts: asyncio.Queue[bytes] = asyncio.Queue()
    leaves = asyncio.Event()
    requests: list[Any] = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Any:
        if requests:
            return requests.pop()
        await leaves.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            parts.put_nowait(message["body"])

    headers = [(b"host", b"toy.test"), (b"authorization", f"Bearer {ADA}".encode()), (b"idempotency-key", b"k")]
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "path": "/streams",
        "query_string": b"",
        "headers": headers,
    }
    app: Any = ledger.app
    task = asyncio.create_task(app({**scope, "http_version": "2", "client": None, "state": {}}, receive, send))
    assert await asyncio.wait_for(parts.get(), PATIENCE) == b"one "
    assert not task.done()
    ledger.gates.go_on.set()
    assert await asyncio.wait_for(parts.get(), PATIENCE) == b"two"
    leaves.set()
    await asyncio.wait_for(task, PATIENCE)
