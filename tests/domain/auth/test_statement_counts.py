"""What signing in, going on and asking who one is cost the database."""

import httpx
from litestar import Litestar

from tests.domain.auth.steps import refresh, sign_in, whoami, without_purges
from tests.support.counting import counted_statements
from tests.support.people import People


def counters(statements: list[str]) -> int:
    """How many of them count for limits."""
    return sum("rate_limits" in statement for statement in without_purges(statements))


def work(statements: list[str]) -> int:
    """How many do something else; only on SQLite is the beginning of a transaction a statement that can be seen."""
    return len(without_purges(statements)) - counters(statements) - statements.count("BEGIN IMMEDIATE")


async def test_a_sign_in_takes_five_statements(app: Litestar, client: httpx.AsyncClient, people: People) -> None:
    """The account, the known address, the session, the audit event, and whether there is a second factor."""
    person = await people.create()

    with counted_statements(app) as statements:
        assert (await sign_in(client, person.email)).status_code == 200

    assert work(statements) == 5
    assert counters(statements) == 3


async def test_a_refused_sign_in_takes_three_statements(
    app: Litestar, client: httpx.AsyncClient, people: People
) -> None:
    person = await people.create(username="captain")

    # A username has one more, for the names that are kept.
    for name, allowed in ((person.email, 3), ("unknown@example.com", 3), ("captain", 4), ("unknown", 4)):
        with counted_statements(app) as statements:
            assert (await sign_in(client, name, "a wrong one")).status_code == 401
        assert work(statements) == allowed
        assert counters(statements) == 2


async def test_a_refresh_takes_one_statement(app: Litestar, client: httpx.AsyncClient, people: People) -> None:
    person = await people.create()

    with counted_statements(app) as statements:
        assert (await refresh(client, person.refresh_token)).status_code == 200

    assert work(statements) == 1
    assert counters(statements) == 2


async def test_a_repeated_refresh_takes_two_statements(
    app: Litestar, client: httpx.AsyncClient, people: People
) -> None:
    person = await people.create()
    await refresh(client, person.refresh_token)

    with counted_statements(app) as statements:
        assert (await refresh(client, person.refresh_token)).status_code == 200

    assert work(statements) == 2


async def test_who_am_i_takes_two_statements_and_one_while_the_caller_is_remembered(
    app: Litestar, client: httpx.AsyncClient, people: People
) -> None:
    person = await people.create()

    counts: list[int] = []
    for _ in range(2):
        with counted_statements(app) as statements:
            assert (await whoami(client, person.access_token)).status_code == 200
        counts.append(len(statements))

    assert counts == [2, 1]


async def test_who_sends_a_bad_token_or_none_costs_no_statement(app: Litestar, client: httpx.AsyncClient) -> None:
    with counted_statements(app) as statements:
        assert (await whoami(client, "x.y.z")).status_code == 401
        assert (await client.get("/api/v1/users/me")).status_code == 401

    assert statements == []
