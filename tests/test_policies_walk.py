"""Every route, called by every kind of caller, answers as its policy says.

The routes and their policies come from the app itself, so a new route is walked without a word here. A new kind of
policy has to be taught to :func:`expected`, which refuses to guess.
"""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum
from uuid import uuid4

import httpx
import msgspec
import pytest
from litestar import Litestar
from litestar.routes import HTTPRoute, WebSocketRoute

import app.asgi
from app.domain.accounts.permissions import USERS_READ
from app.domain.auth.permissions import USERS_IMPERSONATE
from app.domain.auth.services.tokens import TokenIssuer
from app.domain.system.controllers import MetricsAccess
from app.domain.system.permissions import METRICS_READ
from app.lib.clock import utc_now
from app.lib.db.base import new_id
from app.lib.domain import collect_permissions
from app.lib.security.policies import (
    POLICY,
    Authenticated,
    HasPermission,
    Policy,
    is_open_to_debtors,
    policy_of,
)
from app.lib.security.principal import Means
from tests.domain.auth.steps import bearer
from tests.support.people import People
from tests.support.sockets import Refused, connected

SOCKET = "socket"
"""The method of WebSockets, so to speak."""
SAFE = {"GET", "HEAD", SOCKET}
ALL_PERMISSIONS = frozenset(collect_permissions(app.asgi.DOMAINS))


class Answer(Enum):
    """What a policy says to a caller."""

    ALLOWED = "allowed"
    SIGN_IN = "401 with a bare challenge"
    BAD_TOKEN = "401 invalid_token"
    FORBIDDEN = "403 permission_denied"
    HIDDEN = "404"
    STALE = "403 reauth_required"
    NOT_IN_PERSON = "403 own_sign_in_required"
    OWES_PASSWORD = "403 password_change_required"
    OWES_FACTOR = "403 mfa_enrollment_required"


@dataclass(frozen=True)
class Caller:
    """Who calls, as far as policies can tell. ``known`` is False for a token that is not good."""

    headers: dict[str, str] = field(default_factory=dict)
    known: bool = True
    permissions: frozenset[str] = frozenset()
    is_superuser: bool = False
    is_fresh: bool = True
    means: Means = "sign_in"
    owes: Answer | None = None


@dataclass(frozen=True)
class Endpoint:
    method: str
    path: str
    policy: Policy
    is_open_to_debtors: bool = False

    def url(self, user_id: object) -> str:
        """A URL of the route: about this user, or about something that is not there."""
        url = self.path
        for part in url.split("/"):
            if part.startswith("{"):
                name, _, kind = part.strip("{}").partition(":")
                value = user_id if name == "user_id" else uuid4() if kind == "uuid" else "1"
                url = url.replace(part, str(value))
        return url


def endpoints(app: Litestar) -> Iterator[Endpoint]:
    for route in app.routes:
        if isinstance(route, WebSocketRoute):
            yield Endpoint(SOCKET, route.path, policy_of(route.route_handler))
            continue
        assert isinstance(route, HTTPRoute), f"the walk does not know how to call {route.path}"
        for method, (handler, _) in route.route_handler_map.items():
            if method != "OPTIONS":
                yield Endpoint(method, route.path, policy_of(handler), is_open_to_debtors(handler))
            if method == "GET" and not policy_of(handler).takes_ticket:
                yield Endpoint("HEAD", route.path, policy_of(handler), is_open_to_debtors(handler))


def needed_permission(policy: Policy) -> str | None:
    if isinstance(policy, MetricsAccess):
        return METRICS_READ
    return policy.code if isinstance(policy, HasPermission) else None


def expected(endpoint: Endpoint, caller: Caller) -> Answer:
    """What the policy has to answer when the route is about another user."""
    policy = endpoint.policy
    if not (policy.reads_credentials or policy.requires_credentials):
        return Answer.ALLOWED
    if not caller.known:
        return Answer.BAD_TOKEN
    if not caller.headers:
        return Answer.SIGN_IN if policy.requires_credentials else Answer.ALLOWED
    if caller.owes is not None and not endpoint.is_open_to_debtors:
        return caller.owes
    refusal = _refusal(policy, caller)
    if refusal is None and caller.means not in policy.means:
        refusal = Answer.NOT_IN_PERSON
    elif refusal is None and isinstance(policy, Authenticated) and policy.fresh and not caller.is_fresh:
        refusal = Answer.STALE
    return refusal or Answer.ALLOWED


def _refusal(policy: Policy, caller: Caller) -> Answer | None:
    if caller.is_superuser or type(policy) is Policy or type(policy) is Authenticated:
        return None
    if (code := needed_permission(policy)) is not None:
        sight = policy.sight if isinstance(policy, HasPermission) else None
        hidden = sight is not None and sight.code not in caller.permissions
        return None if code in caller.permissions else Answer.HIDDEN if hidden else Answer.FORBIDDEN
    raise AssertionError(f"the walk does not know what {policy} means")


_OF_CODE = {
    "reauth_required": Answer.STALE,
    "own_sign_in_required": Answer.NOT_IN_PERSON,
    "password_change_required": Answer.OWES_PASSWORD,
    "mfa_enrollment_required": Answer.OWES_FACTOR,
}
_MORE_THAN_FORBIDDEN = {Answer.NOT_IN_PERSON, Answer.STALE, Answer.OWES_PASSWORD, Answer.OWES_FACTOR}


def given(response: httpx.Response) -> Answer:
    """What a response says, as far as it is the policy's word. Every 404 that is not expected is the handler's."""
    challenge = response.headers.get("www-authenticate", "")
    code = response.json().get("code") if response.content and "problem" in response.headers["content-type"] else None
    match response.status_code:
        case 401:
            assert code in {None, "unauthenticated", "invalid_token"}
            return Answer.SIGN_IN if challenge == "Bearer" else Answer.BAD_TOKEN
        case 403:
            assert challenge == 'Bearer error="insufficient_scope"'
            return _OF_CODE.get(str(code), Answer.FORBIDDEN)
        case _:
            assert response.status_code < 500, response.text
            return Answer.ALLOWED


async def ask(
    app: Litestar, calls: httpx.AsyncClient, endpoint: Endpoint, user_id: object, headers: dict[str, str]
) -> httpx.Response:
    """What a call, or a handshake, is answered."""
    url = endpoint.url(user_id)
    if endpoint.method != SOCKET:
        return await calls.request(endpoint.method, url, headers=headers)
    try:
        async with connected(app, url, authorization=headers.get("Authorization")):
            return httpx.Response(101)
    except Refused as refused:
        content = msgspec.json.encode(refused.problem)
        return httpx.Response(refused.status, headers=refused.headers, content=content)


def agrees(wanted: Answer, response: httpx.Response) -> bool:
    if wanted is Answer.HIDDEN:
        return response.status_code == 404
    if wanted in _MORE_THAN_FORBIDDEN and not response.content:  # HEAD
        wanted = Answer.FORBIDDEN
    return given(response) is wanted


Maker = Callable[[People, Policy], Awaitable[Caller]]


async def anonymous(_people: People, _policy: Policy) -> Caller:
    return Caller()


async def garbage(_people: People, _policy: Policy) -> Caller:
    return Caller({"Authorization": "Bearer garbage"}, known=False)


async def other_scheme(_people: People, _policy: Policy) -> Caller:
    return Caller({"Authorization": "Basic YWRhOnBhc3N3b3Jk"}, known=False)


async def forged(people: People, _policy: Policy) -> Caller:
    head, _, signature = (await people.create(is_superuser=True)).access_token.rpartition(".")
    return Caller({"Authorization": f"Bearer {head}.{signature[::-1]}"}, known=False)


async def expired(people: People, _policy: Policy) -> Caller:
    person = await people.create(is_superuser=True)
    signer = people.core.services.get(TokenIssuer).signer
    token = signer.issue_access(person.id, person.session_id, utc_now() - timedelta(minutes=11), timedelta(minutes=10))
    return Caller({"Authorization": f"Bearer {token}"}, known=False)


async def refresh_token(people: People, _policy: Policy) -> Caller:
    person = await people.create(is_superuser=True)
    return Caller({"Authorization": f"Bearer {person.refresh_token}"}, known=False)


async def banned(people: People, _policy: Policy) -> Caller:
    return Caller((await people.create(is_superuser=True, is_active=False)).headers, known=False)


async def signed_out(people: People, _policy: Policy) -> Caller:
    person = await people.create(is_superuser=True)
    async with people.client(person) as calls:
        assert (await calls.post("/api/v1/auth/logout")).status_code == 204
    return Caller(person.headers, known=False)


async def deleted(people: People, _policy: Policy) -> Caller:
    person = await people.create()
    async with people.client(person) as calls:
        assert (await calls.delete("/api/v1/users/me")).status_code == 204
    return Caller(person.headers, known=False)


async def user(people: People, _policy: Policy) -> Caller:
    return Caller((await people.create()).headers)


async def role_without(people: People, policy: Policy) -> Caller:
    """A user with every permission but the one that counts, and a role that does not."""
    others = ALL_PERMISSIONS - {needed_permission(policy)}
    person = await people.create(permissions=others)
    return Caller(person.headers, permissions=others)


async def role_with(people: People, policy: Policy) -> Caller:
    """A user with nothing but what counts."""
    code = needed_permission(policy)
    person = await people.create(permissions=[code] if code else [])
    return Caller(person.headers, permissions=frozenset([code] if code else []))


async def stale(people: People, policy: Policy) -> Caller:
    code = needed_permission(policy)
    long_ago = utc_now() - timedelta(minutes=11)
    person = await people.create(permissions=[code] if code else [], signed_in_at=long_ago)
    return Caller(person.headers, permissions=frozenset([code] if code else []), is_fresh=False)


async def key_with(people: People, policy: Policy) -> Caller:
    """A key of a superuser with the one scope that counts."""
    code = needed_permission(policy)
    person = await people.create(is_superuser=True)
    key = await people.key(person.id, [code] if code else [])
    return Caller(bearer(key), permissions=frozenset([code] if code else []), means="api_key")


async def key_without(people: People, policy: Policy) -> Caller:
    """A key of a superuser with all scopes but the one that counts."""
    others = ALL_PERMISSIONS - {needed_permission(policy)}
    person = await people.create(is_superuser=True)
    return Caller(bearer(await people.key(person.id, others)), permissions=others, means="api_key")


async def support(people: People, policy: Policy) -> Caller:
    """Support that acts as a user who has what counts."""
    code = needed_permission(policy)
    codes = [code] if code else []
    helper = await people.create(permissions={USERS_IMPERSONATE, USERS_READ, *codes})
    person = await people.create(permissions=codes)
    async with people.client(helper) as calls:
        response = await calls.post(f"/api/v1/users/{person.id}/impersonate")
    return Caller(bearer(response.json()["access_token"]), permissions=frozenset(codes), means="impersonation")


async def superuser(people: People, _policy: Policy) -> Caller:
    return Caller((await people.create(is_superuser=True)).headers, is_superuser=True)


async def owes_password(people: People, _policy: Policy) -> Caller:
    person = await people.create(is_superuser=True, must_change_password=True)
    return Caller(person.headers, is_superuser=True, owes=Answer.OWES_PASSWORD)


async def owes_factor(people: People, _policy: Policy) -> Caller:
    name = f"guarded-{new_id().hex[-12:]}"
    await people.role(name, requires_mfa=True)
    person = await people.create(is_superuser=True, roles=[name])
    return Caller(person.headers, is_superuser=True, owes=Answer.OWES_FACTOR)


async def key_of_debtor(people: People, policy: Policy) -> Caller:
    code = needed_permission(policy)
    person = await people.create(is_superuser=True, must_change_password=True)
    key = await people.key(person.id, [code] if code else [])
    return Caller(
        bearer(key), permissions=frozenset([code] if code else []), means="api_key", owes=Answer.OWES_PASSWORD
    )


KINDS: list[Maker] = [
    anonymous, garbage, other_scheme, forged, expired, refresh_token, banned, signed_out, deleted,
    user, role_without, role_with, stale, key_with, key_without, support, superuser,
    owes_password, owes_factor, key_of_debtor,
]  # fmt: skip


@pytest.mark.asvs("8.2.1", "8.2.2", "8.3.1")
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
async def test_every_route_answers_every_caller_as_its_policy_says(app: Litestar, people: People, kind: Maker) -> None:
    surprises = []
    callers: dict[str, Caller] = {}
    target = await people.create()
    async with people.client() as calls:
        for endpoint in endpoints(app):
            name = repr(endpoint.policy)
            caller = callers[name] if name in callers else await kind(people, endpoint.policy)
            response = await ask(app, calls, endpoint, target.id, caller.headers)
            wanted = expected(endpoint, caller)
            if not agrees(wanted, response):
                surprises.append((endpoint.method, endpoint.path, name, wanted, response.status_code))
            callers[name] = caller
            if response.is_success and endpoint.method not in SAFE:  # it may have signed out, or deleted
                callers.pop(name)
                target = await people.create()

    assert surprises == []


@pytest.mark.asvs("8.2.2")
async def test_routes_about_ones_own_account_admit_its_owner(app: Litestar, people: People) -> None:
    walked = 0
    async with people.client() as calls:
        for endpoint in endpoints(app):
            if isinstance(endpoint.policy, HasPermission) and endpoint.policy.or_self == "user_id":
                person = await people.create()
                response = await calls.request(endpoint.method, endpoint.url(person.id), headers=person.headers)
                assert given(response) is Answer.ALLOWED
                assert response.status_code != 404
                walked += 1

    assert walked


async def test_options_need_no_rights(app: Litestar, people: People) -> None:
    async with people.client() as calls:
        for endpoint in (each for each in endpoints(app) if each.method != SOCKET):
            for headers in ({}, {"Authorization": "Bearer garbage"}):
                response = await calls.options(endpoint.url(uuid4()), headers=headers)
                assert response.status_code == 204
                assert endpoint.method in response.headers["allow"]


def test_every_route_has_a_policy_and_the_walk_misses_none(shared_app: Litestar) -> None:
    walked = {(endpoint.method, endpoint.path) for endpoint in endpoints(shared_app)}

    for route in shared_app.routes:
        if isinstance(route, WebSocketRoute):
            assert (SOCKET, route.path) in walked
            assert isinstance(route.route_handler.opt[POLICY], Policy)
            continue
        assert isinstance(route, HTTPRoute)
        for handler in route.route_handlers:
            methods = handler.http_methods - {"OPTIONS"}
            assert {(method, route.path) for method in methods} <= walked
            assert not methods or isinstance(handler.opt[POLICY], Policy)
    assert len(walked) > 30
