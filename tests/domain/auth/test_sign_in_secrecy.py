"""What a refused sign-in gives away: nothing about who has an account [ASVS 6.3.8]."""

from typing import Any

import httpx
import pytest
from litestar import Litestar

from tests.domain.auth.steps import (
    LOGIN,
    STRANGER,
    argon2_runs,
    audited,
    change_user,
    fields,
    shown,
    sign_in,
    sign_in_from,
    without_purges,
)
from tests.support.apps import ADDRESS, Deployment, client_of
from tests.support.counting import counted_statements
from tests.support.people import PASSWORD, People

pytestmark = pytest.mark.asvs("6.3.8")


@pytest.mark.parametrize(
    "name", ["unknown@example.com", "unknown", "no account!", "\U0001f512" * 40, "a@b@c", "#" + "f" * 64]
)
async def test_a_wrong_password_and_an_unknown_account_look_alike(
    client: httpx.AsyncClient, people: People, name: str
) -> None:
    person = await people.create(username="captain")

    wrong, unknown = await sign_in(client, person.email, "a wrong one"), await sign_in(client, name, "a wrong one")
    by_username = await sign_in(client, "captain", "a wrong one")

    assert shown(wrong) == shown(unknown) == shown(by_username)
    assert wrong.status_code == 401
    assert wrong.headers["www-authenticate"] == "Bearer"
    assert wrong.headers["cache-control"] == "no-store"
    assert wrong.headers["content-type"] == "application/problem+json"


async def test_the_refusal_is_a_problem_that_oauth2_clients_understand(client: httpx.AsyncClient) -> None:
    problem = (await sign_in(client, "unknown@example.com")).json()

    assert problem.pop("request_id")
    assert problem == {
        "type": "/problems/invalid-credentials",
        "title": "Wrong user name or password",
        "status": 401,
        "code": "invalid_credentials",
        "detail": "The user name or the password is not right.",
        "instance": LOGIN,
        "error": "invalid_grant",
        "error_description": "The user name or the password is not right.",
    }


@pytest.mark.parametrize("address", [pytest.param(ADDRESS, id="known"), pytest.param(STRANGER, id="unknown")])
@pytest.mark.parametrize("password", ["a wrong one", "x", "x" * 1024])
async def test_a_wrong_password_and_an_unknown_account_cost_the_same_work(
    app: Litestar, people: People, address: str, password: str
) -> None:
    """Also where the account is signed in from, which others behind the same router must not learn."""
    person = await people.create()
    work: list[tuple[int, list[str]]] = []
    for name in (person.email, "unknown@example.com", person.email, "unknown@example.com"):
        with counted_statements(app) as statements, argon2_runs() as runs:
            assert (await sign_in_from(app, address, name, password)).status_code == 401
        work.append((len(without_purges(statements)), [run.replace("verify", "hash") for run in runs]))

    assert work[0][1] == ["hash"]
    assert work == [work[0]] * 4


async def test_an_inactive_account_says_so_only_to_who_knows_the_password(
    client: httpx.AsyncClient, people: People, app: Litestar
) -> None:
    person = await people.create(is_active=False)

    wrong, unknown = await sign_in(client, person.email, "a wrong one"), await sign_in(client, "unknown", "a wrong one")
    right = await sign_in(client, person.email)

    assert shown(wrong) == shown(unknown)
    assert (right.status_code, right.json()["code"]) == (403, "account_inactive")
    (event,) = await audited(app, "sign_in.inactive")
    assert (event.subject_id, event.address) == (person.id, ADDRESS)


async def test_an_unverified_account_looks_like_an_unknown_one(deployment: Deployment) -> None:
    app = await deployment.start(REQUIRE_VERIFIED_EMAIL="true")
    person = await People(app).create()

    async with client_of(app) as client:
        wrong = await sign_in(client, person.email, "a wrong one")
        unknown = await sign_in(client, "unknown", "a wrong one")
        right = await sign_in(client, person.email)
        await change_user(app, person.id, is_verified=True)
        verified = await sign_in(client, person.email)

    assert shown(wrong) == shown(unknown) == shown(right)
    assert (right.status_code, right.json()["code"]) == (401, "invalid_credentials")
    causes = "The user name or the password is not right, or the e-mail address is not confirmed yet."
    assert right.json()["detail"] == causes
    assert len(await audited(app, "sign_in.unverified")) == 1
    assert verified.status_code == 200


async def test_without_the_setting_an_unverified_account_signs_in(client: httpx.AsyncClient, people: People) -> None:
    person = await people.create(is_verified=False)

    assert (await sign_in(client, person.email)).status_code == 200


@pytest.mark.parametrize(
    "mistake", [{"password": "x" * 10_000}, {"password": ""}, {"grant_type": "other"}, {"surprise": "1"}], ids=str
)
async def test_a_mistake_in_the_request_is_answered_before_anybody_is_looked_up(
    app: Litestar, client: httpx.AsyncClient, people: People, mistake: dict[str, Any]
) -> None:
    person = await people.create()

    answers: list[Any] = []
    for name in (person.email, "unknown@example.com"):
        with argon2_runs() as runs:
            answers.append(shown(await client.post(LOGIN, data={"username": name, "password": PASSWORD, **mistake})))
        assert runs == []

    assert answers[0] == answers[1]
    assert answers[0][0] == 400


@pytest.mark.usefixtures("clock")
async def test_a_locked_account_and_a_locked_unknown_name_look_alike(app: Litestar, people: People) -> None:
    person = await people.create()
    for name in (person.email, "unknown@example.com"):
        for _ in range(10):
            assert (await sign_in_from(app, STRANGER, name, "a wrong one")).status_code == 401

    with argon2_runs() as runs:
        known = shown(await sign_in_from(app, STRANGER, person.email))
        unknown = shown(await sign_in_from(app, STRANGER, "unknown@example.com"))

    assert runs == []  # not even the right password is looked at
    for _, _, headers in (known, unknown):
        assert int(headers.pop("retry-after")) >= 1  # windows begin at another time for each account
    assert known == unknown
    assert known[0] == 429


async def test_the_problem_never_repeats_what_was_typed(client: httpx.AsyncClient) -> None:
    response = await client.post(LOGIN, json={"username": "hunter2-typed-here", "password": "hunter2"})

    assert "hunter2" not in response.text
    refused = await client.post(LOGIN, json={"username": ["hunter2"], "password": {"hunter2": 1}})
    assert set(fields(refused)) == {"/username", "/password"}
    assert "hunter2" not in refused.text
