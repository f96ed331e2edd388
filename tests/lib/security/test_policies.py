"""Policies: deny by default, one line a route."""

from collections.abc import Sequence
from datetime import timedelta
from functools import cache
from itertools import product
from typing import Any
from uuid import UUID

import httpx
import pytest
from litestar import Controller, Litestar, Request, Router, get, post
from litestar.exceptions import ImproperlyConfiguredException
from litestar.params import FromPath, JSONBody
from msgspec import structs

from app.lib.clock import utc_now
from app.lib.errors import InvalidToken
from app.lib.http.problems import exception_handlers
from app.lib.http.rules import RulesMiddleware, declare_rules
from app.lib.security.bearer import BearerMiddleware
from app.lib.security.policies import (
    HasPermission,
    authenticated,
    current_principal,
    declare_policies,
    find_principal,
    in_session,
    optional,
    optional_in_person,
    permission,
    policy_of,
    public,
    recently_authenticated,
    sees,
    signed_in,
)
from app.lib.security.principal import Principal
from tests.lib.http.toys import call, in_shell

ADA = UUID("0193a3c4-5b6d-7e8f-9a0b-1c2d3e4f5a6b")
BOB = UUID("0193a3c4-5b6d-7e8f-9a0b-1c2d3e4f5a6c")


def principal(**values: Any) -> Principal:
    defaults: dict[str, Any] = {
        "user_id": ADA,
        "session_id": ADA,
        "authenticated_at": utc_now() - timedelta(hours=1),
        "is_superuser": False,
        "permissions": frozenset(),
    }
    return Principal(**defaults | values)


CALLERS = {
    "user": principal(),
    "fresh": principal(),
    "holder": principal(permissions=frozenset({"things:read"})),
    "fresh-holder": principal(permissions=frozenset({"things:read"})),
    "other-holder": principal(permissions=frozenset({"things:write", "things:reader", "things"})),
    "superuser": principal(is_superuser=True),
    "fresh-superuser": principal(is_superuser=True),
    "fresh-key": principal(means="api_key", permissions=frozenset({"things:read"})),
    "fresh-support": principal(means="impersonation", permissions=frozenset({"things:read"})),
}


class Names:
    """The token is the caller's name."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def authenticate(self, token: str) -> Principal:
        self.asked.append(token)
        if token not in CALLERS:
            raise InvalidToken
        found = CALLERS[token]
        return structs.replace(found, authenticated_at=utc_now()) if token.startswith("fresh") else found


async def who(request: Request[Any, Any, Any]) -> dict[str, str | None]:
    caller = find_principal(request)
    return {"caller": next((name for name, each in CALLERS.items() if each is caller), None)}


POLICIES = {
    "public": public,
    "optional": optional,
    "optional-in-person": optional_in_person,
    "authenticated": authenticated,
    "signed-in": signed_in,
    "in-session": in_session,
    "recently-authenticated": recently_authenticated,
    "permission": permission("things:read"),
    "fresh-permission": permission("things:read", fresh=True),
    "permission-in-person": permission("things:read", in_person=True),
}


@get("/self/{user_id:uuid}", guards=[sees("things:read", or_self="user_id")])
async def own(user_id: FromPath[UUID], request: Request[Any, Any, Any]) -> dict[str, bool]:
    return {"self": current_principal(request).user_id == user_id}


@post("/self/{user_id:uuid}", guards=[permission("things:write", sight=sees("things:read", or_self="user_id"))])
async def change(user_id: FromPath[UUID], data: JSONBody[dict[str, int]]) -> None: ...


def make(handlers: Sequence[Any], names: Names | None = None) -> Litestar:
    app = Litestar(
        route_handlers=list(handlers),
        middleware=[BearerMiddleware(names or Names()), RulesMiddleware()],
        exception_handlers=exception_handlers(),
        openapi_config=None,
        logging_config=None,
    )
    declare_policies(app)
    declare_rules(app)
    app.asgi_handler = in_shell(app.asgi_router)
    return app


def toy(names: Names | None = None) -> Litestar:
    return make([*(get(f"/{name}", guards=[guard])(who) for name, guard in POLICIES.items()), own, change], names)


shared_toy = cache(toy)


async def ask(path: str, token: str | None, method: str = "GET") -> httpx.Response:
    async with call(shared_toy(), headers={"Authorization": f"Bearer {token}"} if token else {}) as client:
        return await client.request(method, path)


EVERYBODY = set(CALLERS)
FRESH = {"fresh", "fresh-holder", "fresh-superuser"}
SUPERUSERS = {"superuser", "fresh-superuser"}
NOT_IN_PERSON = {"fresh-key", "fresh-support"}
ALLOWED = {
    "public": EVERYBODY,
    "optional": EVERYBODY,
    "optional-in-person": EVERYBODY - NOT_IN_PERSON,
    "authenticated": EVERYBODY,
    "signed-in": EVERYBODY - NOT_IN_PERSON,
    "in-session": EVERYBODY - {"fresh-key"},
    "recently-authenticated": FRESH,
    "permission": {"holder", "fresh-holder"} | NOT_IN_PERSON | SUPERUSERS,
    "permission-in-person": {"holder", "fresh-holder"} | SUPERUSERS,
    "fresh-permission": {"fresh-holder", "fresh-superuser"},
}
NEED_A_SIGN_IN = {
    path: NOT_IN_PERSON - ALLOWED[path]
    for path in ("optional-in-person", "signed-in", "in-session", "recently-authenticated", "fresh-permission")
} | {"permission-in-person": NOT_IN_PERSON}
MERELY_STALE = {
    "recently-authenticated": EVERYBODY - FRESH - NOT_IN_PERSON,
    "fresh-permission": {"holder", "superuser"},
}


@pytest.mark.asvs("8.2.1")
@pytest.mark.parametrize("path", POLICIES)
async def test_every_policy_with_every_caller(path: str) -> None:
    for token, method in product(CALLERS, ["GET", "HEAD"]):
        is_allowed_or_says_why_not(await ask(f"/{path}", token, method), path, token, method)


def is_allowed_or_says_why_not(response: httpx.Response, path: str, token: str, method: str) -> None:
    if token in ALLOWED[path]:
        assert response.status_code == 200
        return
    assert response.status_code == 403
    assert response.headers["www-authenticate"] == 'Bearer error="insufficient_scope"'
    if method == "GET":
        refusals = {"reauth_required": MERELY_STALE, "own_sign_in_required": NEED_A_SIGN_IN}
        expected = [code for code, callers in refusals.items() if token in callers.get(path, ())]
        assert [response.json()["code"]] == (expected or ["permission_denied"])


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", POLICIES)
async def test_every_policy_without_credentials(path: str, method: str) -> None:
    response = await ask(f"/{path}", None, method)

    if path in {"public", "optional", "optional-in-person"}:
        assert response.status_code == 200
        return
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("path", POLICIES)
async def test_every_policy_with_a_bad_token(path: str) -> None:
    """On an optional route too: a caller with a bad token must not be answered as an anonymous one."""
    response = await ask(f"/{path}", "unknown")

    if path == "public":
        assert response.json() == {"caller": None}
        return
    assert response.status_code == 401
    assert response.json()["code"] == "invalid_token"
    assert response.headers["www-authenticate"] == 'Bearer error="invalid_token"'


async def test_public_routes_do_not_even_look() -> None:
    names = Names()
    async with call(toy(names), headers={"Authorization": "Bearer user"}) as client:
        assert (await client.get("/public")).json() == {"caller": None}
        assert names.asked == []
        assert (await client.get("/optional")).json() == {"caller": "user"}
        assert names.asked == ["user"]


@pytest.mark.parametrize("token", [None, "unknown", "user"])
@pytest.mark.parametrize("path", POLICIES)
async def test_options_is_never_authenticated(path: str, token: str | None) -> None:
    response = await ask(f"/{path}", token, "OPTIONS")

    assert response.status_code == 204
    assert response.headers["allow"] == "GET, HEAD, OPTIONS"


async def test_who_may_only_see_themselves_cannot_tell_whether_others_exist() -> None:
    assert (await ask(f"/self/{ADA}", "user")).json() == {"self": True}
    assert (await ask(f"/self/{BOB}", "user")).status_code == 404
    assert (await ask(f"/self/{BOB}", "holder")).json() == {"self": False}
    assert (await ask(f"/self/{BOB}", "superuser")).status_code == 200
    assert (await ask(f"/self/{ADA}", None)).status_code == 401
    assert (await ask(f"/self/{str(ADA).upper()}", "user")).status_code == 404


async def test_403_is_for_callers_who_see_the_object_and_404_for_others() -> None:
    codes = {token: (await ask(f"/self/{BOB}", token, "POST")).json()["code"] for token in ("user", "holder", "fresh")}

    assert codes == {"user": "not_found", "holder": "permission_denied", "fresh": "not_found"}
    assert (await ask(f"/self/{ADA}", "user", "POST")).json()["code"] == "permission_denied"


@pytest.mark.parametrize("token", [None, "unknown", "user"])
async def test_a_refused_caller_learns_nothing_about_the_rest_of_the_request(token: str | None) -> None:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with call(toy(), headers=headers) as client:
        response = await client.post(f"/self/{ADA}?nonsense=1", content=b"<", headers={"Content-Type": "text/xml"})

    assert response.status_code == (403 if token == "user" else 401)


async def test_a_sign_in_is_recent_for_ten_minutes() -> None:
    assert principal(authenticated_at=utc_now() - timedelta(minutes=9, seconds=59)).signed_in_recently
    assert not principal(authenticated_at=utc_now() - timedelta(minutes=10, seconds=1)).signed_in_recently


def test_a_superuser_may_everything() -> None:
    assert principal(is_superuser=True).may("anything:at_all")
    assert principal(is_superuser=True).may_all(frozenset({"a:b", "c:d"}))
    assert not principal().may("anything:at_all")
    assert principal(permissions=frozenset({"a:b", "c:d"})).may_all(frozenset({"a:b"}))
    assert not principal(permissions=frozenset({"a:b"})).may_all(frozenset({"a:b", "c:d"}))


async def nothing() -> None:
    return None


@pytest.mark.asvs("8.2.1")
def test_a_route_without_a_policy_does_not_start() -> None:
    with pytest.raises(ImproperlyConfiguredException, match="no policy"):
        make([get("/open", guards=[public])(nothing), post("/forgotten")(nothing)])


def test_a_route_with_two_policies_does_not_start() -> None:
    with pytest.raises(ImproperlyConfiguredException, match="several policies"):
        make([get("/torn", guards=[public, authenticated])(nothing)])


def test_a_policy_above_a_route_counts_and_may_not_be_contradicted() -> None:
    class Things(Controller):
        path = "/things"
        guards = (authenticated,)

        @get()
        async def all_things(self) -> None:
            return None

    inherited = make([Things])
    handler = inherited.routes[0].route_handlers[0]  # type: ignore[union-attr]  # an HTTP route
    assert policy_of(handler) is authenticated

    with pytest.raises(ImproperlyConfiguredException, match="several policies"):
        make([Router("/x", route_handlers=[get(guards=[public])(nothing)], guards=[permission("a:b")])])


def test_guards_that_are_no_policies_may_stand_next_to_one() -> None:
    async def counted(_connection: Any, _handler: Any) -> None:
        return None

    with pytest.raises(ImproperlyConfiguredException, match="no policy"):
        make([get("/x", guards=[counted])(nothing)])
    make([get("/x", guards=[counted, public])(nothing)])


@pytest.mark.parametrize(
    ("policy", "name"),
    [
        (public, "public"),
        (optional, "optional"),
        (authenticated, "authenticated"),
        (signed_in, "authenticated (own sign-in)"),
        (in_session, "authenticated (session)"),
        (permission("a:b", in_person=True), "a:b (own sign-in)"),
        (recently_authenticated, "authenticated (recent sign-in)"),
        (permission("a:b"), "a:b"),
        (HasPermission("a:b", or_self="user_id", fresh=True), "a:b or self (recent sign-in)"),
    ],
)
def test_policies_have_names_for_the_table_of_routes(policy: object, name: str) -> None:
    assert repr(policy) == name
