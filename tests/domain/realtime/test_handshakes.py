"""Who gets a socket: tickets, tokens, origins, and what the others are answered."""

import asyncio
from datetime import timedelta

import httpx
import pytest
from litestar import Litestar
from sqlalchemy import update

from app.domain.realtime.models import RealtimeTicket
from app.lib.clock import utc_now
from app.lib.realtime.frames import CloseCode
from tests.domain.accounts.answers import is_refused, rows
from tests.domain.auth.steps import bearer
from tests.support.apps import Deployment, core_of
from tests.support.jobs import run_job
from tests.support.people import People, Person
from tests.support.sockets import REALTIME, Refused, connected

KEYS = "/api/v1/users/me/api-keys"
TICKETS = "/api/v1/realtime/tickets"
LOBBY = "/ws/ada"


async def ticket_of(calls: httpx.AsyncClient) -> str:
    response = await calls.post(TICKETS)
    assert response.status_code == 201, response.text
    ticket: str = response.json()["ticket"]
    return ticket


async def refusal(
    app: Litestar,
    path: str = REALTIME,
    *,
    token: str | None = None,
    ticket: str | None = None,
    origin: str | None = None,
) -> Refused:
    with pytest.raises(Refused) as refused:
        async with connected(app, path, token=token, ticket=ticket, origin=origin):
            pass
    return refused.value


async def test_only_the_digest_of_a_ticket_is_stored(calls: httpx.AsyncClient, app: Litestar) -> None:
    asked = utc_now()
    response = await calls.post(TICKETS)
    [kept] = await rows(app, RealtimeTicket)

    assert response.status_code == 201
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["location"] == REALTIME
    assert set(response.json()) == {"ticket", "expires_at"}
    assert response.json()["ticket"].isalnum()
    assert response.json()["ticket"].encode() not in kept.digest
    assert asked + timedelta(seconds=29) < kept.expires_at <= utc_now() + timedelta(seconds=31)


@pytest.mark.caller("anonymous")
async def test_only_who_is_signed_in_gets_a_ticket(calls: httpx.AsyncClient) -> None:
    assert is_refused(await calls.post(TICKETS), 401, "unauthenticated")


async def test_a_ticket_opens_one_socket(calls: httpx.AsyncClient, app: Litestar) -> None:
    for path in [REALTIME, LOBBY]:
        ticket = await ticket_of(calls)
        async with connected(app, path, ticket=ticket) as socket:
            assert len(socket.headers["x-request-id"]) == 36
            again = await refusal(app, path, ticket=ticket)

        assert again.status == 401
        assert again.problem["code"] == "invalid_token"
        assert await rows(app, RealtimeTicket) == []


async def test_of_many_who_come_with_one_ticket_one_is_let_in(calls: httpx.AsyncClient, app: Litestar) -> None:
    ticket = await ticket_of(calls)

    async def enter() -> int:
        try:
            async with connected(app, ticket=ticket):
                return 101
        except Refused as refused:
            return refused.status

    assert sorted(await asyncio.gather(*(enter() for _ in range(8)))) == [101] + [401] * 7


async def test_a_ticket_is_too_old_after_half_a_minute(calls: httpx.AsyncClient, app: Litestar) -> None:
    ticket = await ticket_of(calls)
    async with core_of(app).database.independent() as unit:
        await unit.session.execute(update(RealtimeTicket).values(expires_at=utc_now() - timedelta(seconds=1)))

    assert (await refusal(app, ticket=ticket)).problem["code"] == "invalid_token"


@pytest.mark.asvs("7.4.1")
async def test_a_ticket_dies_with_its_session(calls: httpx.AsyncClient, app: Litestar) -> None:
    ticket = await ticket_of(calls)
    assert (await calls.post("/api/v1/auth/logout")).status_code == 204

    assert (await refusal(app, ticket=ticket)).status == 401


@pytest.mark.asvs("7.4.2")
async def test_a_ticket_of_a_deactivated_user_opens_nothing(
    app: Litestar, people: People, caller: Person, calls: httpx.AsyncClient
) -> None:
    ticket = await ticket_of(calls)
    async with people.client(await people.create(is_superuser=True)) as boss:
        assert (await boss.post(f"/api/v1/users/{caller.id}/deactivate")).status_code == 200

    assert (await refusal(app, ticket=ticket)).status == 401


async def test_a_token_opens_a_socket_where_headers_can_be_sent(app: Litestar, caller: Person) -> None:
    for path in [REALTIME, LOBBY]:
        async with connected(app, path, token=caller.access_token):
            pass


async def test_without_good_credentials_the_handshake_is_refused(app: Litestar) -> None:
    for path in [REALTIME, LOBBY]:
        for how, code in [
            ({}, "unauthenticated"),
            ({"ticket": ""}, "invalid_token"),
            ({"ticket": "nonsense"}, "invalid_token"),
            ({"ticket": "a" * 43}, "invalid_token"),
            ({"ticket": "\0" * 43}, "invalid_token"),
            ({"token": "nonsense"}, "invalid_token"),
        ]:
            refused = await refusal(app, path, **how)

            assert (refused.status, refused.problem["code"], refused.problem["instance"]) == (401, code, path)
            assert refused.headers["content-type"] == "application/problem+json"
            assert refused.headers["www-authenticate"].startswith("Bearer")
            assert refused.headers["x-request-id"] == refused.problem["request_id"]
            assert refused.headers["x-content-type-options"] == "nosniff"
            assert refused.headers["cache-control"] == "no-store"


async def test_the_other_kinds_of_tokens_open_nothing(app: Litestar, caller: Person) -> None:
    assert (await refusal(app, token=caller.refresh_token)).status == 401
    assert (await refusal(app, ticket=caller.access_token)).status == 401


async def test_a_server_that_cannot_answer_a_handshake_closes_it(app: Litestar) -> None:
    with pytest.raises(Refused) as refused:
        async with connected(app, extensions=False):
            pass

    assert (refused.value.status, refused.value.problem) == (403, {})


async def test_a_socket_that_is_nowhere_is_not_found(app: Litestar, caller: Person) -> None:
    refused = await refusal(app, "/api/v1/nowhere", token=caller.access_token)

    assert (refused.status, refused.problem["code"]) == (404, "not_found")


async def test_a_client_id_is_short_and_printable(app: Litestar, caller: Person) -> None:
    for client_id in ["a" * 65, "two\nlines", "\u202eoverride"]:
        assert (await refusal(app, f"/ws/{client_id}", token=caller.access_token)).status == 404


@pytest.mark.asvs("4.4.2")
async def test_foreign_pages_open_nothing_and_use_no_ticket_up(app: Litestar, calls: httpx.AsyncClient) -> None:
    for origin in ["https://evil.example", "null", "http://testserver.evil.example", "http://x"]:
        ticket = await ticket_of(calls)
        refused = await refusal(app, ticket=ticket, origin=origin)

        assert (refused.status, refused.problem["code"]) == (403, "permission_denied")
        async with connected(app, ticket=ticket):
            pass


async def test_the_services_own_pages_open_sockets(app: Litestar, caller: Person) -> None:
    for origin in ["http://testserver", "https://TestServer", "http://127.0.0.1:8000"]:
        async with connected(app, token=caller.access_token, origin=origin):
            pass


async def test_listed_origins_open_sockets(deployment: Deployment) -> None:
    app = await deployment.start(CORS_ORIGINS="https://app.example.com")
    person = await People(app).create()
    async with connected(app, token=person.access_token, origin="https://app.example.com"):
        pass

    assert (await refusal(app, token=person.access_token, origin="https://other.example.com")).status == 403


@pytest.mark.usefixtures("clock")
async def test_handshakes_count_against_the_general_limit(deployment: Deployment) -> None:
    app = await deployment.start(RATE_LIMIT_DEFAULT="2/minute")
    person = await People(app).create()
    for _ in range(2):
        async with connected(app, token=person.access_token):
            pass
    refused = await refusal(app, token=person.access_token)

    assert (refused.status, refused.problem["code"]) == (429, "rate_limited")
    assert int(refused.headers["retry-after"]) >= 1


async def test_expired_tickets_are_purged(calls: httpx.AsyncClient, app: Litestar) -> None:
    await ticket_of(calls)
    async with core_of(app).database.independent() as unit:
        await unit.session.execute(update(RealtimeTicket).values(expires_at=utc_now() - timedelta(seconds=1)))
    fresh = await ticket_of(calls)
    await run_job(app, "realtime.trim")

    assert len(await rows(app, RealtimeTicket)) == 1
    async with connected(app, ticket=fresh):
        pass


async def test_other_methods_are_refused(calls: httpx.AsyncClient) -> None:
    for path in [REALTIME, LOBBY]:
        asked = await calls.options(path)
        assert (asked.status_code, asked.headers["allow"], asked.content) == (204, "OPTIONS", b"")
        got = await calls.get(path)
        assert (got.status_code, got.headers["allow"]) == (405, "OPTIONS")


async def test_a_token_does_not_excuse_a_bad_ticket(
    app: Litestar, calls: httpx.AsyncClient, caller: Person, people: People
) -> None:
    for path in [REALTIME, LOBBY]:
        assert (await refusal(app, path, token=caller.access_token, ticket="nonsense")).status == 401
        other = await people.create()
        assert (await refusal(app, path, token=other.access_token, ticket=await ticket_of(calls))).status == 401
        async with connected(app, path, token=caller.access_token, ticket=await ticket_of(calls)):
            pass


async def test_unknown_parameters_are_refused(app: Litestar, caller: Person) -> None:
    for path in [REALTIME, LOBBY]:
        with pytest.raises(Refused) as refused:
            async with connected(app, path, token=caller.access_token, query="channels=posts"):
                pass

        assert (refused.value.status, refused.value.problem["code"]) == (400, "unknown_parameter")


@pytest.mark.asvs("4.4.3", "8.3.2")
async def test_a_key_opens_sockets_which_end_with_it(app: Litestar, client: httpx.AsyncClient, people: People) -> None:
    person = await people.create()
    key = bearer(await people.key(person.id))
    ticket = (await client.post(TICKETS, headers=key)).json()["ticket"]
    [listed] = (await client.get(KEYS, headers=person.headers)).json()["items"]

    async with (
        connected(app, authorization=key["Authorization"]) as by_header,
        connected(app, ticket=ticket) as by_ticket,
    ):
        assert (await by_header.subscribe("posts"))["type"] == "subscribed"
        await by_header.send(type="refresh", token=key["Authorization"].removeprefix("Bearer "))
        assert (await by_header.receive())["type"] == "refreshed"
        assert (await client.delete(f"{KEYS}/{listed['id']}", headers=person.headers)).status_code == 204
        assert await by_header.until_closed() == CloseCode.AUTHENTICATE_AGAIN
        assert await by_ticket.until_closed() == CloseCode.AUTHENTICATE_AGAIN
