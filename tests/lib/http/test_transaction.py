"""One request, one transaction: committed before the response starts, or not at all."""

import asyncio

import pytest
from sqlalchemy import text

from tests.lib.http.ledger import Ledger
from tests.support.waiting import PATIENCE

KEY = {"Idempotency-Key": "k-1"}
PATHS_WITH_AND_WITHOUT_KEY = [("/plain-entries", {}), ("/entries", {}), ("/entries", KEY)]


@pytest.mark.parametrize(("path", "headers"), PATHS_WITH_AND_WITHOUT_KEY)
async def test_what_is_answered_is_committed(ledger: Ledger, path: str, headers: dict[str, str]) -> None:
    async with ledger.client(headers=headers) as client:
        response = await client.post(path, json={"text": "one"})

    assert response.status_code == 201
    assert await ledger.texts() == ["one"]


@pytest.mark.parametrize(("path", "headers"), PATHS_WITH_AND_WITHOUT_KEY)
async def test_a_failing_commit_is_an_error_and_leaves_no_row(
    ledger: Ledger, path: str, headers: dict[str, str]
) -> None:
    async with ledger.client(headers=headers) as client:
        response = await client.post(path, json={"text": "orphan", "parent_id": 4711})
        again = await client.post(path, json={"text": "fine"}, headers={"Idempotency-Key": "another"})

    assert response.status_code == 409
    assert response.json()["code"] == "conflict"
    assert response.headers["content-type"] == "application/problem+json"
    assert "x-request-id" in response.headers
    assert "location" not in response.headers
    assert again.status_code == 201
    assert await ledger.texts() == ["fine"]


async def test_a_failing_commit_keeps_no_key(ledger: Ledger) -> None:
    async with ledger.client(headers=KEY) as client:
        assert (await client.post("/entries", json={"text": "orphan", "parent_id": 4711})).status_code == 409
        assert await ledger.keys() == 0
        again = await client.post("/entries", json={"text": "mended"})

    assert again.status_code == 201
    assert "idempotency-replayed" not in again.headers
    assert await ledger.texts() == ["mended"]


@pytest.mark.parametrize("headers", [{}, KEY])
@pytest.mark.parametrize(("path", "status"), [("/refused-entries", 409), ("/buggy-entries", 500)])
async def test_what_is_refused_leaves_nothing(ledger: Ledger, path: str, status: int, headers: dict[str, str]) -> None:
    async with ledger.client(headers=headers) as client:
        for _ in range(3):  # a connection that stayed busy would show
            assert (await client.post(path, json={"text": "no"})).status_code == status

    assert await ledger.texts() == []
    assert await ledger.keys() == 0


@pytest.mark.parametrize("headers", [{}, KEY])
async def test_a_request_that_is_cut_off_leaves_nothing(ledger: Ledger, headers: dict[str, str]) -> None:
    async with ledger.client(headers=headers) as client:
        request = asyncio.create_task(client.post("/slow-entries", json={"text": "cut"}))
        await asyncio.wait_for(ledger.gates.entered.wait(), PATIENCE)
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request
        assert await ledger.texts() == []
        assert await ledger.keys() == 0
        ledger.gates.go_on.set()
        again = await client.post("/slow-entries", json={"text": "whole"})

    assert again.status_code == 201
    assert await ledger.texts() == ["whole"]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("headers", [{}, KEY])
async def test_a_connection_that_is_lost_before_the_commit_leaves_nothing(
    ledger: Ledger, headers: dict[str, str]
) -> None:
    async with ledger.client(headers=headers) as client:
        request = asyncio.create_task(client.post("/slow-entries", json={"text": "lost"}))
        await asyncio.wait_for(ledger.gates.entered.wait(), PATIENCE)
        await _cut_idle_transactions(ledger)
        ledger.gates.go_on.set()
        response = await request
        assert await ledger.keys() == 0
        again = await client.post("/slow-entries", json={"text": "found"})

    assert response.status_code == 503
    assert response.json()["code"] == "unavailable"
    assert "retry-after" in response.headers
    assert again.status_code == 201
    assert await ledger.texts() == ["found"]


async def _cut_idle_transactions(ledger: Ledger) -> None:
    async with ledger.database.engine.begin() as connection:
        await connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND state = 'idle in transaction' AND pid <> pg_backend_pid()"
            )
        )
