"""The OpenAPI document: valid, complete and bounded."""

import json
import re
import shlex
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import httpx
import jsonschema_rs
import msgspec
import pytest
from litestar import Litestar
from openapi_spec_validator import OpenAPIV31SpecValidator

from app.asgi import DOMAINS, create_app
from app.lib.db.url import DatabaseURL
from app.lib.http.conditional import Versioned
from app.lib.openapi.components import IN_EVERY_RESPONSE
from app.lib.openapi.document import EXAMPLE_ORIGIN
from app.lib.wire.decoding import decode_json
from tests.contract.routes import APP, DOCUMENT, Operation, needs, operations
from tests.support.apps import core_of, described, settings_for
from tests.support.each import each
from tests.support.listed import agree

OPERATIONS = {operation["operationId"]: operation for item in DOCUMENT["paths"].values() for operation in item.values()}
SCHEMAS: dict[str, Any] = DOCUMENT["components"]["schemas"]
MIN_DESCRIPTION = 21
TAG_GROUPS = ("Account", "Content", "Shop", "Realtime", "Operations")
HIDDEN = {
    *("/docs", "/docs/swagger", "/docs/assets/{name:str}", "/docs/openapi.json"),
    *(["/docs/asyncapi.json"] if "streamEvents" in OPERATIONS else []),
    *("/account/{action:str}", "/account/sign-in/{name:str}"),  # where mails and identity providers lead
}


def documented(app: Litestar) -> dict[str, Operation]:
    """Routes by their operation id."""
    return {each.handler.operation_id: each for each in operations(app) if each.handler.resolve_include_in_schema()}


ROUTES = documented(APP)


def resolve(part: dict[str, Any]) -> dict[str, Any]:
    """What a reference refers to."""
    found: Any = part
    while "$ref" in found:
        target: Any = DOCUMENT
        for step in found["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        found = target
    resolved: dict[str, Any] = found
    return resolved


def bodies(name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The request and the successes of an operation that have a body."""
    operation = OPERATIONS[name]
    for part in (operation.get("requestBody", {}), *operation["responses"].values()):
        yield from part.get("content", {}).items()


def example(body: dict[str, Any]) -> Any:
    return body["example"] if "example" in body else resolve(body["examples"]["example"])["value"]


@each(OPERATIONS)
def test_an_operation_is_described_shown_and_called(name: str) -> None:
    """It says more than its summary; its bodies have examples that fit; and there is code for a call."""
    operation, handler = OPERATIONS[name], ROUTES[name].handler
    say_more = f"{handler}: say more than its summary in description=, in {MIN_DESCRIPTION} characters or more"
    assert len(handler.description or "") >= MIN_DESCRIPTION, say_more
    assert handler.description.strip(".") != operation["summary"], say_more
    for kind, body in bodies(name):
        shown = example(body)
        if body["schema"]:
            validator = jsonschema_rs.Draft202012Validator({**body["schema"], "components": DOCUMENT["components"]})
            wrong = [error.message for error in validator.iter_errors(shown)]
            assert not wrong, f"{handler}: its {kind} needs an example: give the members Meta(examples=[…])"
    shell, python, javascript = (each["source"] for each in operation["x-codeSamples"])
    words = shlex.split(shell)
    assert words[:3] == ["curl", "-X", ROUTES[name].method]
    assert all(words[3] in each for each in (python, javascript))
    assert "{" not in words[3]
    compile(python, name, "exec")
    is_closed = bool(operation["security"]) and {} not in operation["security"]
    assert [("Bearer" in each) for each in (shell, python, javascript)] == [is_closed] * 3


@needs("placeOrder")
def test_examples_are_true_to_life() -> None:
    order = example(OPERATIONS["placeOrder"]["responses"]["201"]["content"]["application/json"])
    assert (order["status"], UUID(order["id"]).version) == ("pending", 7)
    assert len({order["id"], order["customer_id"], order["items"][0]["product_id"]}) == 3
    user = example(OPERATIONS["getMe"]["responses"]["200"]["content"]["application/json"])
    assert (user["is_active"], user["is_superuser"]) == (True, False)
    page = example(OPERATIONS["listOrders"]["responses"]["200"]["content"]["application/json"])
    assert (page["page_size"], page["next_cursor"], len(page["items"])) == (20, None, 1)


def test_every_tag_is_in_one_group() -> None:
    grouped = [tag for group in DOCUMENT["x-tagGroups"] for tag in group["tags"]]

    assert sorted(grouped) == sorted(tag["name"] for tag in DOCUMENT["tags"])
    assert len(grouped) == len(set(grouped))
    wanted = [group for group in TAG_GROUPS if group in {domain.tag_group for domain in DOMAINS}]
    agree((group["name"] for group in DOCUMENT["x-tagGroups"]), wanted, "TAG_GROUPS")


def test_refusals_are_shared() -> None:
    for operation in OPERATIONS.values():
        for response in operation["responses"].values():
            assert "application/problem+json" not in response.get("content", {})


def test_the_document_is_valid() -> None:
    document: Any = DOCUMENT
    OpenAPIV31SpecValidator(document).validate()
    assert DOCUMENT["openapi"].startswith("3.1")


def test_the_document_does_not_depend_on_the_settings() -> None:
    production = settings_for(
        DatabaseURL.parse("postgresql://db.example/x"),
        ENVIRONMENT="production",
        SECRET_KEY="0w3f9ae1c55d4b7a8c2e6d1f0b9a7e53",
        DOCS="off",
        REQUIRE_VERIFIED_EMAIL="true",
        PUBLIC_URL="https://api.example.com",
        CORS_ORIGINS="https://app.example.com",
        PASSWORD_MIN_LENGTH="15",
    )

    assert described(create_app(production)) == DOCUMENT


async def test_the_served_document_is_this_one_and_its_samples_call_who_serves_it(
    app: Litestar, client: httpx.AsyncClient
) -> None:
    served, own = (await client.get("/docs/openapi.json")).text, core_of(app).settings.address.origin

    assert json.loads(served) == json.loads(json.dumps(DOCUMENT).replace(EXAMPLE_ORIGIN, own))
    assert served.count(f"{own}/api/v1/users/me") > 3
    assert json.loads(served)["servers"][0]["url"] == "/"


def test_operation_ids_are_verbs_in_camel_case() -> None:
    assert len(OPERATIONS) == sum(len(item) for item in DOCUMENT["paths"].values())
    for name in OPERATIONS:
        rename = f"{ROUTES[name].handler}: call the handler by a verb and words of letters, or give it operation_id="
        assert re.fullmatch(r"[a-z]+([A-Z][a-z]+)*", name), rename


def test_every_route_is_documented_or_says_that_it_is_not() -> None:
    """Documentation is not: this document is a part of it."""
    hidden = {each.path for each in operations(APP)} - {each.path for each in ROUTES.values()}

    agree(hidden, HIDDEN, "HIDDEN")
    assert set(ROUTES) == set(OPERATIONS)


OTHER_MEDIA_TYPES = {
    "exportOrders": "text/csv",
    "getFeed": "application/atom+xml",
    "getMetrics": "text/plain",
    **dict.fromkeys(["getProblem", "listProblems", "showUnsubscribePage", "unsubscribe"], "text/html"),
    "streamEvents": "text/event-stream",
}
UNVERSIONED = {
    *("createStockMovement", "createApiKey", "createProducts"),
    *("createRealtimeTicket", "createRoomInvitation", "createServiceApiKey"),
}
"""Creations of what has no one version: several resources, or something that never changes."""

ACTION = (
    "a POST answers 201 unless it says status_code=200 (an action: the thing as it is now), 202 or 204 (docs/api.md)"
)
REPEATABLE_ACTIONS = {"adjustStock", "refundOrder"}
"""Actions that would do the same once more when they are repeated, and so take a key like creations."""


@each(OPERATIONS)
def test_an_operation_says_what_it_is(name: str) -> None:
    operation, handler = OPERATIONS[name], ROUTES[name].handler

    assert handler.summary, f'{handler}: say in summary="Get a bookmark" what it does'
    assert not operation["summary"].endswith("."), f"{handler}: summary= is a title, without a full stop"
    assert operation["description"].endswith("."), f"{handler}: description= is a sentence, with a full stop"
    [tag] = operation["tags"]
    declared = {tag for domain in DOMAINS for tag, _ in domain.tags}
    assert tag in declared, (
        f'{handler}: add ("{tag}", "…") to tags= of its domain, or give it tags=("…",) of those there'
    )
    assert "deprecated" not in operation, f"{handler}: opt=deprecated(…) of app.lib.http.deprecation says it"


@each(OPERATIONS)
def test_security_is_what_the_policy_says(name: str) -> None:
    policy = ROUTES[name].policy
    schemes: list[Any] = [{"OAuth2Password": []}, {"Bearer": []}]

    if policy.requires_credentials:
        expected: list[Any] = [*schemes, {"Ticket": []}] if policy.takes_ticket else schemes
    else:
        expected = [{}, *schemes] if policy.reads_credentials else []
    assert OPERATIONS[name]["security"] == expected
    assert ("401" in OPERATIONS[name]["responses"]) >= policy.requires_credentials


def test_the_password_flow_points_at_the_sign_in() -> None:
    schemes = DOCUMENT["components"]["securitySchemes"]

    assert schemes["OAuth2Password"]["flows"] == {
        "password": {"tokenUrl": "/api/v1/auth/login", "refreshUrl": "/api/v1/auth/refresh", "scopes": {}}
    }
    assert schemes["Bearer"]["scheme"] == "bearer"


@each(OPERATIONS)
def test_errors_are_problems(name: str) -> None:
    responses = OPERATIONS[name]["responses"]

    assert {"400", "406", "429", "431", "500", "503"} <= set(responses)
    for status, response in responses.items():
        if status.startswith(("4", "5")) and (name, status) != ("showUnsubscribePage", "404"):  # a page, too
            error = resolve(response)
            assert set(error["content"]) == {"application/problem+json"}
            assert error["description"].endswith(".")
            assert set(IN_EVERY_RESPONSE) <= set(error["headers"])
            example = next(iter(error["content"]["application/problem+json"]["examples"].values()))["value"]
            assert example["status"] == int(status)


@each(name for name, operation in OPERATIONS.items() if "requestBody" in operation)
def test_a_body_has_an_example_that_is_accepted(name: str) -> None:
    operation, route = OPERATIONS[name], ROUTES[name]

    first, *others = route.rules.consumes or ()
    [(media_type, described)] = operation["requestBody"]["content"].items()
    assert media_type == first
    assert all(f"`{other}`" in operation["requestBody"]["description"] for other in others)
    shown = example(described)
    if name != "unsubscribe":  # it reads the form by itself
        decode_json(msgspec.json.encode(shown), route.handler.parsed_data_field.annotation)
    assert {"408", "413", "415", "422"} <= set(operation["responses"])


@each(OPERATIONS)
def test_successes_have_their_media_type_and_headers(name: str) -> None:
    operation = OPERATIONS[name]
    successes = {status: each for status, each in operation["responses"].items() if status.startswith("2")}

    repeatable = "Idempotency-Key" in {each["name"] for each in operation.get("parameters", [])}

    assert successes
    for status, response in successes.items():
        assert set(IN_EVERY_RESPONSE) <= set(response["headers"])
        media_type = OTHER_MEDIA_TYPES.get(name, "application/json")
        found = set(response.get("content", {}))
        handler = ROUTES[name].handler
        expected = set() if status == "204" else {media_type}
        assert found == expected, f"{handler}: is it in OTHER_MEDIA_TYPES of tests/contract/test_openapi_document.py?"
        assert ("Idempotency-Replayed" in response["headers"]) is repeatable
        if status == "201":
            missing = {"Location", "ETag"} - ({"ETag"} if name in UNVERSIONED else set()) - set(response["headers"])
            assert not missing, (
                f"{handler}: {ACTION}; a creation answers created(…) with a Versioned Struct, or is in UNVERSIONED"
            )
    if "304" in operation["responses"]:
        assert "content" not in operation["responses"]["304"]
        assert "If-None-Match" in {each["name"] for each in operation["parameters"]}


def test_single_resources_are_versioned() -> None:
    for name in ("getMe", "getMyProfile", "getProfile", "getRole", "updateMe", "updateRole", "activateUser"):
        assert "ETag" in OPERATIONS[name]["responses"]["200"]["headers"], name
        assert issubclass(ROUTES[name].handler.parsed_return_field.annotation, Versioned)


@each(OPERATIONS)
def test_if_match_comes_with_412(name: str) -> None:
    parameters = {each["name"] for each in OPERATIONS[name].get("parameters", [])}

    assert ("If-Match" in parameters) is ("412" in OPERATIONS[name]["responses"])


@each(OPERATIONS)
def test_creations_offer_idempotency_except_where_the_answer_is_secret(name: str) -> None:
    operation, route = OPERATIONS[name], ROUTES[name]
    parameters = {each["name"] for each in operation.get("parameters", [])}
    creates = "201" in operation["responses"] and not route.path.startswith("/api/v1/auth/")
    is_repeatable = name in REPEATABLE_ACTIONS or (creates and not shows_a_secret(operation))

    say_so = "a route that creates says opt=IDEMPOTENT, and no other does, but for REPEATABLE_ACTIONS of this file"
    assert ("Idempotency-Key" in parameters) is is_repeatable, f"{route.handler}: {say_so}; {ACTION}"


def shows_a_secret(operation: dict[str, Any]) -> bool:
    """Whether the new resource comes with a secret, which must not be kept to be replayed."""
    schema = operation["responses"]["201"]["content"]["application/json"]["schema"]
    members = DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]]["properties"].keys()
    return bool({"secret", "ticket", "key", "recovery_codes"} & members)


@pytest.mark.parametrize("name", ["login", "refresh"])
def test_sign_in_is_described_as_the_form_of_oauth2(name: str) -> None:
    [(media_type, described)] = OPERATIONS[name]["requestBody"]["content"].items()

    assert media_type == "application/x-www-form-urlencoded"
    members = resolve(described["schema"])["properties"]
    assert {str(schema["type"]) for schema in members.values()} == {"string"}  # a form has no null


def test_no_body_has_members_that_are_not_read() -> None:
    for name, operation in OPERATIONS.items():
        for media_type in operation.get("requestBody", {}).get("content", {}).values():
            closed = resolve(media_type["schema"])["additionalProperties"] is False
            assert closed, f"{ROUTES[name].handler}: let its body inherit from Input of app.lib.wire.dto"


def test_parameters_are_never_null_and_say_what_they_are() -> None:
    for name, operation in OPERATIONS.items():
        for parameter in operation.get("parameters", []):
            where = f"{ROUTES[name].handler}, {parameter['name']}"
            assert "null" not in str(parameter["schema"].get("type")), where
            assert "oneOf" not in parameter["schema"], f"{where}: give it one type"
            assert parameter.get("description"), f"{where}: give it Parameter(description=…), as posts/controllers do"


def test_problems_name_every_code() -> None:
    assert "payload_too_large" in SCHEMAS["ErrorCode"]["enum"]
    assert SCHEMAS["ErrorCode"]["type"] == SCHEMAS["FieldCode"]["type"] == "string"
    assert SCHEMAS["Problem"]["required"] == ["type", "title", "status", "code", "detail", "instance", "request_id"]
