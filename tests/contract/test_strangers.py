"""What belongs to one user is refused to another, on every route whose path names it (OWASP API1:2023).

The domains' ``makers.py`` make what a path names, for its owner. A user without permissions then asks for it, with a
valid body. Routes for callers without credentials are public; others that all may use are in ``SHARED`` of a
``makers.py``.
"""

from typing import Any
from uuid import UUID

import httpx
import pytest
from litestar import Litestar, get
from litestar.params import FromPath

from app.asgi import app_of, router_of
from app.core import API
from app.lib.http.rules import JSON, MERGE_PATCH
from app.lib.security.policies import authenticated
from tests.contract.routes import DOCUMENT, PARAMETER, Operation, operations
from tests.contract.test_examples import request
from tests.support.apps import client_of, core_of, fresh
from tests.support.making import Making, bodies, shared
from tests.support.people import People

REFUSED, _INVALID = {403, 404}, 422
NO_THINGS = {"name", "slug"}
"""Parameters of paths that name what belongs to no user."""


def on_things(app: Litestar) -> list[Operation]:
    """Routes for callers with credentials whose paths name something."""
    return [
        each
        for each in operations(app)
        if each.policy.requires_credentials and set(_names(each)) - NO_THINGS and each.handler.operation_id
    ]


def _names(operation: Operation) -> list[str]:
    return [name for name, _ in PARAMETER.findall(operation.path)]


def _body(operation: Operation, values: dict[str, Any]) -> Any:
    name = operation.handler.operation_id
    if name in bodies():
        return {key: text.format(**values) if isinstance(text, str) else text for key, text in bodies()[name].items()}
    documented = DOCUMENT["paths"].get(PARAMETER.sub(r"{\1}", operation.path), {})
    return request(documented.get(operation.method.lower(), {}))


async def leaks(app: Litestar, people: People) -> list[str]:
    """A line for each route that a stranger may use on what is the owner's, or that could not be tried."""
    found: list[str] = []
    owner, stranger = await people.create(is_superuser=True), await people.create()
    async with people.client(owner) as owns, client_of(app, headers=stranger.headers) as calls:
        for number, each in enumerate(on_things(app)):
            name = each.handler.operation_id
            where = f"tests/domain/{each.handler.fn.__module__.split('.')[2]}/makers.py"
            making = Making(owns, people, owner, name, _names(each), number, where, dict.fromkeys(NO_THINGS, "github"))
            url = each.url(**{part: str(await making.get(part)) for part in _names(each)})
            body = _body(each, {**making.found, "other_user_id": stranger.id})
            headers = {"Content-Type": MERGE_PATCH if each.method == "PATCH" else JSON} if each.rules.consumes else {}
            answer = await calls.request(
                each.method, url, json=body if each.rules.consumes else None, headers={"If-Match": "*", **headers}
            )
            if answer.status_code not in REFUSED and name not in shared():
                found.append(
                    f"{each.method} {each.path}: another user gets {answer.status_code}{_next(answer, name, where)}"
                )
    return found


def _next(answer: httpx.Response, name: str, where: str) -> str:
    if answer.status_code == _INVALID:
        return f' before the owner is looked at: add "{name}" with a body that is accepted to BODIES in {where}'
    may_all = f'or, where all who are signed in may do it, add SHARED = {{"{name}": "why"}} to {where}'
    return f": let the service find it by its owner, {may_all}"


@pytest.mark.asvs("8.2.2")
async def test_no_route_gives_another_user_what_is_not_theirs(unlimited_app: Litestar) -> None:
    async with fresh(unlimited_app):
        found = await leaks(unlimited_app, People(unlimited_app))
    assert not found, "\n".join(found)


async def test_a_route_that_forgets_the_owner_is_found(unlimited_app: Litestar) -> None:
    @get("/orders/{order_id:uuid}/leak", guards=[authenticated], operation_id="leakOrder")
    async def leak_order(order_id: FromPath[UUID]) -> None: ...

    core = core_of(unlimited_app)
    tiny = app_of(core, [router_of(core, API, [leak_order])])
    async with fresh(unlimited_app):
        found = await leaks(tiny, People(unlimited_app))
    [line] = found
    assert line.startswith("GET /api/v1/orders/{order_id:uuid}/leak: another user gets 200: let the service find it by")
