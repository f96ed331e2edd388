"""The examples of the OpenAPI document are true to life: what they show can happen, and fits what stands next to it."""

import re
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest

from app.asgi import DOMAINS
from app.lib.openapi.document import DocumentInfo
from tests.contract.routes import APP, DOCUMENT, needs
from tests.support.apps import core_of

OPERATIONS = {
    operation["operationId"]: (path, operation)
    for path, item in DOCUMENT["paths"].items()
    for operation in item.values()
}
PLACEHOLDERS = re.compile(r"a line of text|string|text|name|value|foo|bar|baz|test|todo|tbd|lorem\b.*", re.IGNORECASE)
PROVIDER = {"method": "test"}
"""The payment method of sandboxes is called that."""
CODES = {code.value: code for code in core_of(APP).services.get(DocumentInfo).error_codes}


def resolve(part: dict[str, Any]) -> Any:
    if "$ref" not in part:
        return part
    found: Any = DOCUMENT
    for step in part["$ref"].removeprefix("#/").split("/"):
        found = found[step]
    return found


def example(media_type: dict[str, Any]) -> Any:
    return media_type["example"] if "example" in media_type else resolve(media_type["examples"]["example"])["value"]


def request(operation: dict[str, Any]) -> Any:
    content = operation.get("requestBody", {}).get("content", {})
    return next((example(each) for each in content.values()), {})


def answers(operation: dict[str, Any]) -> dict[str, Any]:
    """The examples of successes that are JSON, by status."""
    successes = {status: each for status, each in operation["responses"].items() if status.startswith("2")}
    contents = {status: each.get("content", {}).get("application/json") for status, each in successes.items()}
    return {status: example(each) for status, each in contents.items() if each is not None}


def objects(value: Any) -> Iterator[dict[str, Any]]:
    """The value and all that is nested in it."""
    if isinstance(value, dict):
        yield value
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from objects(each)


def path_values(operation: dict[str, Any]) -> dict[str, Any]:
    parameters = [each for each in operation.get("parameters", []) if each["in"] == "path"]
    return {each["name"]: each.get("example", each["schema"].get("examples", [None])[0]) for each in parameters}


SHOWN = [
    (name, each)
    for name, (_, operation) in OPERATIONS.items()
    for body in (request(operation), *answers(operation).values())
    for each in objects(body)
]


def test_no_text_is_a_placeholder() -> None:
    for name, each in SHOWN:
        for member, value in each.items():
            if isinstance(value, str) and {member: value} != PROVIDER:
                shown = f'{name} shows "{value}" for {member}: give it Meta(examples=["…"]) that is true to life'
                assert not PLACEHOLDERS.fullmatch(value), shown


def test_times_are_in_order() -> None:
    for name, each in SHOWN:
        created = each.get("created_at")
        for member in ("updated_at", "expires_at", "finished_at", "closed_at", "published_at", "last_attempt_at"):
            if created and each.get(member):
                assert each[member] >= created, (name, member)
        if created and "version" in each and each.get("updated_at"):
            assert (each["version"] > 1) is (each["updated_at"] > created), name


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_answer_is_about_what_the_path_names(name: str) -> None:
    _, operation = OPERATIONS[name]
    values = path_values(operation)
    missing = [parameter for parameter, value in values.items() if value is None]
    assert not missing, f"{name}: give {missing} of its path FromPath[Annotated[str, Meta(examples=[…])]]"
    for status, answer in answers(operation).items():
        for parameter, value in values.items():
            assert answer.get(parameter, value) == value
        if status == "200" and "id" in answer and not values.keys() <= {"name"}:
            *_, parameter = values
            shown = f"""Annotated[UUID, Meta(examples=[example_id("{parameter}")])]"""
            assert answer["id"] == values[parameter], f"give the member id of the answer {shown}"
    [shell, *_] = (each["source"] for each in operation["x-codeSamples"])
    assert not re.search(r"/[a-z]+_(id|ref)\b", shell), "a path with the name of a parameter in it"
    required = [each for each in operation.get("parameters", []) if each["in"] == "query" and each.get("required")]
    assert all("example" in each or "examples" in each["schema"] for each in required)
    assert all(f"{each['name']}={each['name']}" not in shell for each in required)


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_answer_shows_what_was_asked_for(name: str) -> None:
    _, operation = OPERATIONS[name]
    asked = {member: value for member, value in request(operation).items() if not isinstance(value, list)}

    for answer in answers(operation).values():
        assert {member: answer[member] for member in asked if member in answer} == {
            member: value for member, value in asked.items() if member in answer
        }


def test_creations_show_a_first_version() -> None:
    for name, (_, operation) in OPERATIONS.items():
        for each in objects(answers(operation).get("201", {})):
            assert each.get("version", 1) == 1, name


def test_pages_hold_what_they_count() -> None:
    for name, each in SHOWN:
        if "next_cursor" in each:
            assert each["total"] == len(each["items"]), name
            assert (each["page"], each["pages"], each["next_cursor"], each["total_capped"]) == (1, 1, None, False)


def test_a_person_is_one_person_everywhere() -> None:
    ids: dict[str, set[str]] = {}
    for _, each in SHOWN:
        if each.get("username") and "id" in each:
            ids.setdefault(each["username"], set()).add(each["id"])

    assert {"ada.lovelace"} <= ids.keys() <= {"ada.lovelace", "grace.hopper"}
    assert all(len(found) == 1 for found in ids.values())
    assert all(UUID(each).version == 7 for found in ids.values() for each in found)


@needs("createRoomInvitation")
def test_a_room_is_its_owners_who_invites_others() -> None:
    names = ("getRoom", "listRoomInvitations", "listRoomMembers")
    room, invitations, members = (answers(OPERATIONS[name][1])["200"] for name in names)
    [invited], [owner] = invitations["items"], members["items"]

    assert room["owner_id"] == invited["invited_by"]["id"] == owner["user"]["id"]
    assert owner["role"] == "owner"
    asked = request(OPERATIONS["createRoomInvitation"][1])["user_id"]
    removed = path_values(OPERATIONS["deleteRoomMember"][1])["user_id"]
    assert room["owner_id"] not in {asked, removed, invited["user"]["id"]}


@needs("placeOrder")
def test_orders_add_up() -> None:
    orders = [each for _, each in SHOWN if "payment_processing" in each]
    for order in orders:
        status, refunded = order["status"], order["refunded"]["amount"]
        [line] = order["items"]
        assert float(line["total"]["amount"]) == float(line["unit_price"]["amount"]) * line["quantity"]
        assert order["total"] == line["total"]
        assert len({order["id"], order["customer_id"], line["product_id"]}) == 3
        assert (refunded, line["refunded_quantity"]) == (("39.80", 2) if status == "refunded" else ("0.00", 0))
        assert (order["tracking"] is not None) is (status in {"shipped", "delivered"})
        assert (order["expires_at"] is not None) is (status == "pending")

    assert {each["status"] for each in orders} == {
        *("pending", "paid", "shipped", "delivered", "cancelled", "refunded"),
    }


ACTIONS: list[tuple[str, str, dict[str, Any]]] = [
    ("placeOrder", "201", {"status": "pending"}),
    ("payOrder", "200", {"status": "paid"}),
    ("payOrder", "202", {"status": "pending", "payment_processing": True}),
    ("cancelOrder", "200", {"status": "cancelled"}),
    ("shipOrder", "200", {"status": "shipped"}),
    ("deliverOrder", "200", {"status": "delivered"}),
    ("refundOrder", "200", {"status": "refunded"}),
    ("register", "201", {"is_verified": False, "roles": []}),
    ("createServiceAccount", "201", {"is_service": True}),
    ("activateUser", "200", {"is_active": True}),
    ("deactivateUser", "200", {"is_active": False}),
    ("publishPost", "200", {"is_published": True}),
    ("unpublishPost", "200", {"is_published": False, "published_at": None}),
    ("cancelJob", "200", {"status": "cancelled"}),
    ("retryJob", "200", {"status": "pending", "finished_at": None}),
    ("testWebhook", "201", {"status": "pending", "kind": "webhook.test", "attempts": 0}),
    ("retryWebhookDelivery", "200", {"status": "pending", "attempts": 0}),
    ("reopenRoom", "200", {"closed_at": None}),
]


@pytest.mark.parametrize(("name", "status", "shown"), [each for each in ACTIONS if each[0] in OPERATIONS])
def test_an_action_shows_where_it_leads(name: str, status: str, shown: dict[str, Any]) -> None:
    answer = answers(OPERATIONS[name][1])[status]

    assert {member: answer[member] for member in shown} == shown


ENDS = {"closeRoom": "closed_at", "cancelJob": "finished_at", "updateRoomMessage": "edited_at"}


@pytest.mark.parametrize("name", sorted(ENDS.keys() & OPERATIONS.keys()))
def test_what_is_over_says_since_when(name: str) -> None:
    assert answers(OPERATIONS[name][1])["200"][ENDS[name]]


def test_what_is_published_says_since_when() -> None:
    for name, each in SHOWN:
        if "is_published" in each and "published_at" in each:
            assert each["is_published"] is (each["published_at"] is not None), name


def test_permissions_and_kinds_are_declared() -> None:
    permissions = {each.code: each.description for domain in DOMAINS for each in domain.permissions}
    kinds = {each.name: each.description for domain in DOMAINS for each in domain.webhook_kinds}
    audited = {each.name for domain in DOMAINS for each in domain.audit_kinds}
    [permission] = answers(OPERATIONS["listPermissions"][1])["200"]["items"]
    listed = answers(OPERATIONS["listWebhookKinds"][1])["200"]["items"] if "listWebhookKinds" in OPERATIONS else []
    [event] = answers(OPERATIONS["listAuditLog"][1])["200"]["items"]

    assert permissions[permission["code"]] == permission["description"]
    assert all(kinds[kind["name"]] == kind["description"] for kind in listed)
    assert event["kind"] in audited
    for name, each in SHOWN:
        assert set(each.get("permissions", ())) | set(each.get("scopes", ())) <= permissions.keys(), name
        assert set(each.get("kinds", ())) <= kinds.keys(), name


def test_problems_are_those_of_their_status() -> None:
    for response, part in DOCUMENT["components"]["responses"].items():
        paths = [
            path.format(**path_values(operation))
            for path, operation in OPERATIONS.values()
            if any(each.get("$ref", "").endswith(f"/{response}") for each in operation["responses"].values())
        ]
        for code, each in part["content"]["application/problem+json"]["examples"].items():
            problem = each["value"]
            assert f"Error{problem['status']}" == response
            assert problem["code"] == code
            assert (problem["type"], problem["title"]) == (CODES[code].type, CODES[code].title)
            assert problem["instance"] in paths


@needs("exportOrders")
def test_the_export_shows_a_row_under_its_columns() -> None:
    shown = OPERATIONS["exportOrders"][1]["responses"]["200"]["content"]["text/csv"]["example"]
    columns, row = (line.split(",") for line in shown.splitlines())

    assert dict(zip(columns, row, strict=True))["status"] == "pending"
