"""Generated requests against the OpenAPI document: no 5xx, and nothing that the document does not say.

The cases are generated with a fixed seed, the same every time, and sent in the test's own event loop to an app on each
database: to generate them takes longer than to answer them.
"""

import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import cache
from typing import Any

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from litestar import Litestar
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import (
    ensure_resource_availability,
    ignored_auth,
    negative_data_rejection,
    positive_data_acceptance,
    use_after_free,
)

from tests.contract.routes import APP, DOCUMENT, operations
from tests.support.apps import BASE_URL, fresh
from tests.support.making import Making, bodies
from tests.support.people import People, Person

pytestmark = pytest.mark.asvs("2.2.1")

EXAMPLES = int(os.environ.get("API_EXAMPLES", "4"))
DOMAIN = os.environ.get("API_DOMAIN")
"""The one whose operations are asked; without it all are."""
LONG = 20_000
"""Bounds of strings that are longer are shown by the domain's own tests: to generate such strings takes seconds."""


def _without_long_bounds(node: Any) -> Any:
    if isinstance(node, list):
        return [_without_long_bounds(each) for each in node]
    if not isinstance(node, dict):
        return node
    bound = node.get("maxLength")
    is_long = isinstance(bound, int) and bound > LONG
    return {key: _without_long_bounds(value) for key, value in node.items() if not (key == "maxLength" and is_long)}


def _with_python_ends(node: Any) -> Any:
    """In Python a line feed may follow ``$``."""
    if isinstance(node, list):
        return [_with_python_ends(each) for each in node]
    if not isinstance(node, dict):
        return node
    if isinstance(pattern := node.get("pattern"), str) and pattern.endswith("$"):
        node = {**node, "pattern": rf"{pattern}(?!\n)"}
    return {key: _with_python_ends(value) for key, value in node.items()}


_document: dict[str, Any] = _without_long_bounds(DOCUMENT)
_document["components"] = _with_python_ends(_document["components"])
_schema = schemathesis.openapi.from_dict(_document)
_ENDLESS = {"streamEvents"}
"""What has no end cannot be waited for."""
_operations = {
    operation["operationId"]: _schema[path][method.upper()]
    for path, item in _document["paths"].items()
    for method, operation in item.items()
    if operation["operationId"] not in _ENDLESS
}
_domain_of = {each.handler.operation_id: each.handler.fn.__module__.split(".")[2] for each in operations(APP)}
_asked = sorted(name for name in _operations if DOMAIN in {None, _domain_of[name]})

# Not checks of the contract: what a route without credentials answers is walked elsewhere, with real tokens, and
# "positive data is accepted" cannot hold where the schema cannot know who exists.
_TOO_LARGE = 413
_EXCLUDED = [positive_data_acceptance, use_after_free, ensure_resource_availability, ignored_auth]

_LAST_ACTS = {"logout", "logoutAll", "deleteMe"}
"""After these the caller is signed out, so that the next case needs another one."""

_GIVEN = {"name": "github", "slug": "not-found"}
"""Parameters of paths that name what is there without being made."""

_WANTS_VERSION = {"updateProduct", "deleteProduct"}
"""Without ``If-Match`` these answer 428."""


@cache
def _cases(operation_id: str, mode: GenerationMode) -> tuple[Any, ...]:
    """What Hypothesis comes up with for an operation."""
    found: list[Any] = []

    @seed(20261121)
    @settings(
        max_examples=EXAMPLES,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=_operations[operation_id].as_strategy(generation_mode=mode))
    def collect(case: Any) -> None:
        found.append(case)

    collect()
    return tuple(found)


def _request(client: httpx.AsyncClient, case: Any, path_parameters: dict[str, str] | None = None) -> httpx.Request:
    """The request that a case means, byte for byte as ``requests`` would send it."""
    generated = case.path_parameters
    case.path_parameters = path_parameters or generated
    arguments = case.as_transport_kwargs(base_url=BASE_URL)
    case.path_parameters = generated
    names = {"method", "url", "headers", "params", "cookies", "data", "json"} & arguments.keys()
    prepared = requests.Request(**{name: arguments[name] for name in names}).prepare()
    octets = [
        (name.encode(), value.encode("latin-1") if isinstance(value, str) else value)
        for name, value in prepared.headers.items()
    ]
    body: Any = prepared.body
    return client.build_request(str(prepared.method), str(prepared.url), headers=octets, content=body)


def _validate(case: Any, response: httpx.Response) -> None:
    """Also a body that breaks the schema may be refused for its size alone."""
    excluded = [*_EXCLUDED, negative_data_rejection] if response.status_code == _TOO_LARGE else _EXCLUDED
    case.validate_response(response, excluded_checks=excluded)


def _takes_input(operation_id: str) -> bool:
    """Whether there is anything to get wrong: operations without parameters and body have no negative cases."""
    definition = _operations[operation_id].definition.raw
    return bool(definition.get("parameters") or definition.get("requestBody"))


_AT_A_PROVIDER = {"loginWithProvider", "authorizeReauthentication", "reauthenticateWithProvider"}
"""For these there has to be an identity provider: see tests/domain/identities."""
_ON_SOMETHING = {name for name, each in _operations.items() if "{" in each.path and name not in _AT_A_PROVIDER}


Apps = dict[str, Litestar]


@asynccontextmanager
async def _fresh(name: str, app: Litestar) -> AsyncIterator[People]:
    """A failure shows the name of its database among what the test wrote."""
    sys.stdout.write(f"on {name}\n")
    async with fresh(app):
        yield People(app)


@pytest.mark.parametrize("operation_id", _asked)
async def test_an_operation_does_what_the_document_says(both_apps: Apps, operation_id: str) -> None:
    """One test for all its callers: most of its time goes into making up the cases that they share."""
    positive = _cases(operation_id, GenerationMode.POSITIVE)
    negative = _cases(operation_id, GenerationMode.NEGATIVE) if _takes_input(operation_id) else ()
    for database in both_apps.items():
        async with _fresh(*database) as people:
            await _by_a_superuser(people, operation_id, [*positive, *negative])
            await _by_an_anonymous_caller(people, positive[:3])
        if operation_id in _ON_SOMETHING:
            async with _fresh(*database) as people:
                await _by_a_superuser_on_what_exists(people, positive[:3])


async def _by_a_superuser(people: People, operation_id: str, cases: Sequence[Any]) -> None:
    person: Person | None = None
    for case in cases:
        if person is None or operation_id in _LAST_ACTS:
            person = await people.create(is_superuser=True)
        async with people.client(person) as client:
            response = await client.send(_request(client, case))
        _validate(case, response)


async def _by_an_anonymous_caller(people: People, cases: Sequence[Any]) -> None:
    async with people.client() as client:
        for case in cases:
            _validate(case, await client.send(_request(client, case)))


async def _by_a_superuser_on_what_exists(people: People, cases: Sequence[Any]) -> None:
    """Generated ids name nothing, so the other cases hardly ever reach what lies behind 404."""
    boss = await people.create(is_superuser=True)
    async with people.client(boss) as client:
        statuses = {await _send_to_what_exists(client, people, boss, case, n) for n, case in enumerate(cases)}

    name = cases[0].operation.definition.raw["operationId"]
    place = f"BODIES in tests/domain/{_domain_of[name]}/makers.py"
    assert statuses & {200, 201, 202, 204}, f'{statuses} alone: add "{name}" with a body that is accepted to {place}'


async def _send_to_what_exists(client: httpx.AsyncClient, people: People, boss: Person, case: Any, number: int) -> int:
    operation_id = case.operation.definition.raw["operationId"]
    place = f"tests/domain/{_domain_of[operation_id]}/makers.py"
    making = Making(client, people, boss, operation_id, case.path_parameters.keys(), number, place, _GIVEN.copy())
    named = {name: str(await making.get(name)) for name in case.path_parameters}
    if operation_id in bodies():
        values = {**making.found, "other_user_id": (await people.create()).id}
        case.body = {
            name: value.format(**values) if isinstance(value, str) else value
            for name, value in bodies()[operation_id].items()
        }
    request = _request(client, case, named)
    request.headers.pop("If-Match", None)
    request.headers["Authorization"] = client.headers["Authorization"]
    if operation_id in _WANTS_VERSION:
        request.headers["If-Match"] = '"1"'
    response = await client.send(request)
    _validate(case, response)
    return response.status_code
