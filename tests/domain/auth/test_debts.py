"""Users who have to do something before anything else: change a password that was set for them, or set up a second
factor that a role requires.
"""

import httpx
import pytest
from litestar import Litestar

from app.asgi import DOMAINS
from app.domain.accounts.permissions import USERS_READ, USERS_WRITE
from tests.domain.auth.factors import MFA, enroll, mfa_token, second_step
from tests.domain.auth.steps import ME, OTHER_PASSWORD, audited, bearer, change_user, fields, sign_in, whoami
from tests.domain.notifications.steps import composed
from tests.support.apps import Deployment
from tests.support.counting import counted_statements
from tests.support.people import People, Person
from tests.support.sockets import Refused, connected
from tests.support.waiting import until_it_holds

ROLES = "/api/v1/roles"
SESSIONS = "/api/v1/auth/sessions"
POSTS = "/api/v1/posts"
TEMPORARY = "a password for a day"


def owing(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["code"]


@pytest.mark.asvs("6.4.1", "6.4.6", "7.4.3")
@pytest.mark.caller(USERS_READ, USERS_WRITE)
async def test_a_password_that_an_administrator_sets_has_to_be_changed(
    app: Litestar, client: httpx.AsyncClient, calls: httpx.AsyncClient, people: People
) -> None:
    person = await people.create(locale="de")
    key = await people.key(person.id)

    weak = await calls.post(f"/api/v1/users/{person.id}/password", json={"password": "password"})
    answer = await calls.post(f"/api/v1/users/{person.id}/password", json={"password": TEMPORARY})

    assert (weak.status_code, fields(weak)) == (422, {"/password": "weak_password"})
    assert (answer.status_code, answer.json()["id"]) == (200, str(person.id))
    assert (await whoami(client, person.access_token)).status_code == 401
    assert (await whoami(client, key)).status_code == 401
    assert (await sign_in(client, person.email)).status_code == 401
    (event,) = await audited(app, "password.set")
    assert event.subject_id == person.id
    assert [mail.subject for mail in await composed(app, "password_changed")] == ["Dein Passwort wurde geändert"]

    pair = (await sign_in(client, person.email, TEMPORARY)).json()
    headers = bearer(pair["access_token"])
    for url in ("/api/v1/orders", POSTS, "/metrics", "/api/v1/realtime/tickets"):
        method = "POST" if url.endswith("tickets") else "GET"
        assert owing(await client.request(method, url, headers=headers)) == (403, "password_change_required"), url
    with pytest.raises(Refused) as refused:
        async with connected(app, "/api/v1/realtime", authorization=headers["Authorization"]):
            pass
    assert (refused.value.status, refused.value.problem["code"]) == (403, "password_change_required")
    assert (await client.get(POSTS)).status_code == 200, "anyone may"
    for url in (ME, SESSIONS, MFA):
        assert (await client.get(url, headers=headers)).status_code == 200
    refreshed = await client.post("/api/v1/auth/refresh", json={"refresh_token": pair["refresh_token"]})
    assert owing(await client.get(POSTS, headers=bearer(refreshed.json()["access_token"])))[0] == 403
    same = {"current_password": TEMPORARY, "new_password": TEMPORARY}
    assert (await client.post(f"{ME}/password", json=same, headers=headers)).status_code == 422

    change = {"current_password": TEMPORARY, "new_password": OTHER_PASSWORD}
    changed = await client.post(f"{ME}/password", json=change, headers=headers)

    assert changed.status_code == 200
    assert (await client.get(POSTS, headers=bearer(changed.json()["access_token"]))).status_code == 200


@pytest.mark.asvs("6.4.6", "8.2.2", "8.3.1")
async def test_who_may_set_a_password(client: httpx.AsyncClient, people: People) -> None:
    admin = await people.create(permissions=[USERS_READ, USERS_WRITE])
    boss, equal = await people.create(is_superuser=True), await people.create(permissions=[USERS_READ])
    more = await people.create(permissions=[USERS_READ, "roles:write"])
    stranger = await people.create()
    body = {"password": TEMPORARY}

    async def attempt(actor: Person, target: Person) -> tuple[int, str | None]:
        answer = await client.post(f"/api/v1/users/{target.id}/password", json=body, headers=actor.headers)
        return answer.status_code, answer.json().get("code")

    assert await attempt(admin, boss) == (403, "permission_denied")
    assert await attempt(admin, more) == (403, "permission_denied")
    assert await attempt(admin, admin) == (403, "permission_denied")
    assert await attempt(equal, stranger) == (403, "permission_denied")
    assert await attempt(stranger, equal) == (404, "not_found")
    assert await attempt(admin, equal) == (200, None)
    service = await client.post("/api/v1/service-accounts", json={"name": "Nightly"}, headers=boss.headers)
    answer = await client.post(f"/api/v1/users/{service.json()['id']}/password", json=body, headers=boss.headers)
    assert answer.status_code == 404


@pytest.mark.asvs("6.3.3", "8.2.1")
async def test_a_role_may_require_a_second_factor(app: Litestar, client: httpx.AsyncClient, people: People) -> None:
    """At once, for sessions that there are, and until there is one."""
    boss = await people.create(is_superuser=True)
    made = await client.post(ROLES, json={"name": "support", "permissions": [USERS_READ]}, headers=boss.headers)
    person = await people.create(roles=["support"])
    key = await people.key(person.id, [USERS_READ])
    assert made.json()["requires_mfa"] is False
    assert (await client.get("/api/v1/users", headers=person.headers)).status_code == 200

    role = f"{ROLES}/{made.json()['id']}"
    changed = await client.patch(role, json={"requires_mfa": True}, headers=boss.headers)

    assert (changed.status_code, changed.json()["requires_mfa"]) == (200, True)
    (event,) = await audited(app, "role.updated")
    assert event.details["requires_mfa"] is True
    pair = (await sign_in(client, person.email)).json()
    for headers in (person.headers, bearer(pair["access_token"]), bearer(key)):
        assert owing(await client.get("/api/v1/users", headers=headers)) == (403, "mfa_enrollment_required")
    state = (await client.get(MFA, headers=person.headers)).json()
    assert (state["is_required"], state["is_on"]) == (True, False)
    assert (await client.post(f"{ME}/passkeys/options", headers=person.headers)).status_code == 200

    someone = await enroll(client, person)

    for headers in (person.headers, bearer(key)):
        assert (await client.get("/api/v1/users", headers=headers)).status_code == 200
    pair = (await second_step(client, await mfa_token(client, person), someone.recovery_codes[0])).json()
    assert (await client.get("/api/v1/users", headers=bearer(pair["access_token"]))).status_code == 200
    assert (await client.delete(f"{MFA}/totp", headers=person.headers)).status_code == 204
    assert owing(await client.get("/api/v1/users", headers=person.headers)) == (403, "mfa_enrollment_required")
    assert (await client.patch(role, json={"requires_mfa": False}, headers=boss.headers)).status_code == 200
    assert (await client.get("/api/v1/users", headers=person.headers)).status_code == 200


async def test_a_socket_closes_when_its_user_has_to_enroll(app: Litestar, people: People) -> None:
    role_id = await people.role("support")
    person, boss = await people.create(roles=["support"]), await people.create(is_superuser=True)

    async with connected(app, "/api/v1/realtime", authorization=person.headers["Authorization"]) as socket:
        async with people.client(boss) as calls:
            assert (await calls.patch(f"{ROLES}/{role_id}", json={"requires_mfa": True})).status_code == 200
        code = await socket.until_closed()

    assert code == 4401


async def test_what_is_owed_costs_no_statement(app: Litestar, client: httpx.AsyncClient, people: People) -> None:
    await people.role("support", requires_mfa=True)
    person = await people.create(roles=["support"], must_change_password=True)

    with counted_statements(app) as statements:
        assert (await client.get(POSTS, headers=person.headers)).status_code == 403

    assert len(statements) == 1


async def test_what_is_owed_is_known_to_every_worker(deployment: Deployment) -> None:
    deployment.domains = DOMAINS
    one, two = await deployment.start(), await deployment.start()
    people = People(one)
    role_id = await people.role("support")
    person, boss = await people.create(roles=["support"]), await people.create(is_superuser=True)
    async with people.client(boss) as calls, People(two).client(person) as theirs:
        assert (await theirs.get(POSTS)).status_code == 200
        assert (await calls.patch(f"{ROLES}/{role_id}", json={"requires_mfa": True})).status_code == 200

        async def is_refused() -> bool:
            return (await theirs.get(POSTS)).status_code == 403

        await until_it_holds(is_refused)


async def test_a_ticket_of_before_opens_nothing(app: Litestar, client: httpx.AsyncClient, people: People) -> None:
    person = await people.create()
    ticket = (await client.post("/api/v1/realtime/tickets", headers=person.headers)).json()["ticket"]
    await change_user(app, person.id, must_change_password=True)

    with pytest.raises(Refused) as refused:
        async with connected(app, ticket=ticket):
            pass

    assert (refused.value.status, refused.value.problem["code"]) == (403, "password_change_required")
