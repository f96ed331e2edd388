"""What the document says about a route follows from its policy, rules, types and declared errors."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from litestar import Litestar, Response, get, patch, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from litestar.types import ControllerRouterHandler
from msgspec import Meta

from app.lib.db.versions import IfMatch
from app.lib.errors import AppError, ErrorCode
from app.lib.http.conditional import Version, Versioned, provide_if_match
from app.lib.http.deprecation import deprecated
from app.lib.http.locations import MOVES
from app.lib.http.rules import CONSUMES, declare_rules
from app.lib.http.transaction import IDEMPOTENT
from app.lib.openapi.components import IN_EVERY_RESPONSE, tidy_parameter
from app.lib.openapi.document import DocumentInfo, build_document, for_holders_of, may_raise, sends_headers
from app.lib.openapi.errors import error_response
from app.lib.pagination.envelope import Page
from app.lib.security.policies import (
    HasPermission,
    authenticated,
    optional,
    permission,
    public,
    sees,
)
from app.lib.wire.dto import Input, Output, StructDTO
from app.lib.wire.fields import Name
from app.lib.wire.struct_schema import StructSchemaPlugin

INFO = DocumentInfo(
    title="Toy", version="1.2.3", description="A toy.", token_url="/login", tags=(("Toys", "To play with."),)
)
BOTH: list[dict[str, list[str]]] = [{"OAuth2Password": []}, {"Bearer": []}]


class Declined(AppError):
    status = 402
    code = ErrorCode("payment_declined", "The payment was declined", "Use another means of payment.")


class ToyRead(Versioned):
    name: Name
    version: Version


class ToyWithParts(Output):
    name: Name


class ToyInColor(Output):
    color: Annotated[Literal["red", "blue"], Meta(title="ToyColor")]
    other: Annotated[Literal["red", "blue"], Meta(title="ToyColor")] | None


class ToyPage(Page[ToyRead], frozen=True, kw_only=True):
    """Toys."""


class ToyCreate(Input):
    name: Name


def document(*handlers: ControllerRouterHandler) -> dict[str, Any]:
    app = Litestar(
        route_handlers=list(handlers),
        dependencies={"if_match": Provide(provide_if_match)},
        plugins=[StructSchemaPlugin()],
        openapi_config=None,
    )
    declare_rules(app)
    return build_document(app, INFO)


def described(handler: ControllerRouterHandler) -> dict[str, Any]:
    """The one operation of a document."""
    [item] = document(handler)["paths"].values()
    [operation] = item.values()
    found: dict[str, Any] = operation
    return found


async def nothing() -> None:
    return None


@pytest.mark.parametrize(
    ("policy", "security", "errors", "words"),
    [
        (public, [], set[str](), "Open to everybody."),
        (optional, [{}, *BOTH], {"401", "403"}, "Open to everybody."),
        (authenticated, BOTH, {"401", "403"}, "For everybody who is signed in."),
        (permission("toys:read"), BOTH, {"401", "403"}, "For holders of `toys:read`."),
        (
            HasPermission("toys:read", or_self="x", hides=True, fresh=True),
            BOTH,
            {"401", "403", "404"},
            (
                "For holders of `toys:read`, or about yourself. Needs a sign-in within the last 10 minutes. "
                "Not for API keys or impersonation."
            ),
        ),
        (sees("toys:read", or_self="x"), BOTH, {"401", "403", "404"}, "For holders of `toys:read`, or about yourself."),
    ],
)
def test_the_policy_says_who_may_and_what_else_can_happen(
    policy: Any, security: list[Any], errors: set[str], words: str
) -> None:
    operation = described(post("/x", guards=[policy], description="Winds it up.")(nothing))

    assert operation["security"] == security
    assert operation["description"] == f"Winds it up. {words}"
    assert set(operation["responses"]) == {
        *("201", "400", "406", "408", "413", "415", "422", "429", "431", "500", "503"),
        *errors,
    }


def test_declared_errors_are_listed() -> None:
    operation = described(get("/x", guards=[public], opt=may_raise(Declined))(nothing))

    assert operation["responses"]["402"] == {"$ref": "#/components/responses/Error402"}
    assert error_response(402, [(Declined, "/orders")], "", ["/orders"])["description"] == "The payment was declined."
    with pytest.raises(StopIteration):
        error_response(418, [(Declined, "/orders")], "", ["/orders"])


def test_a_body_brings_its_first_media_type_and_errors_and_names_the_others() -> None:
    @patch("/toys", guards=[public], dto=StructDTO[ToyCreate], return_dto=StructDTO[ToyRead])
    async def change(data: JSONBody[ToyCreate]) -> ToyRead:
        raise NotImplementedError

    text = {CONSUMES: ("text/csv", "text/plain", "text/html")}

    @post("/toys", guards=[public], dto=StructDTO[ToyCreate], return_dto=None, opt=text)
    async def load(data: JSONBody[ToyCreate]) -> None:
        raise NotImplementedError

    patched, loaded = described(change), described(load)

    assert set(patched["requestBody"]["content"]) == {"application/json"}
    assert patched["requestBody"]["description"] == (
        "A JSON merge patch (RFC 7396). At most 16,000 bytes. `application/merge-patch+json` is read as well."
    )
    assert set(loaded["requestBody"]["content"]) == {"text/csv"}
    assert loaded["requestBody"]["description"].endswith("`text/plain` is read as well. `text/html` is read as well.")
    assert {"408", "413", "415", "422"} <= set(patched["responses"])


def test_a_creation_says_where_the_new_thing_is() -> None:
    @post("/toys", guards=[public], dto=StructDTO[ToyCreate], return_dto=StructDTO[ToyRead], opt=IDEMPOTENT)
    async def create(data: JSONBody[ToyCreate]) -> Response[ToyRead]:
        raise NotImplementedError

    operation = described(create)
    created = operation["responses"]["201"]

    assert set(created["headers"]) == {*IN_EVERY_RESPONSE, "Location", "ETag", "Idempotency-Replayed"}
    assert set(created["content"]) == {"application/json"}
    assert [each["name"] for each in operation["parameters"]] == ["Idempotency-Key"]
    assert {"409", "422"} <= set(operation["responses"])
    assert operation["description"].endswith("Safe to repeat with an `Idempotency-Key`.")


def test_an_action_may_send_more_and_be_for_fewer_people_than_its_policy_says() -> None:
    more = sends_headers(202, "Retry-After")

    @post(
        "/act",
        guards=[authenticated],
        status_code=202,
        return_dto=StructDTO[ToyRead],
        opt=IDEMPOTENT | more | for_holders_of("toys:play"),
    )
    async def act() -> ToyRead:
        raise NotImplementedError

    operation = described(act)

    assert set(operation["responses"]["202"]["headers"]) == {
        *("ETag", "Idempotency-Replayed", "Retry-After", *IN_EVERY_RESPONSE),
    }
    assert operation["description"].startswith("For holders of `toys:play`. Safe to repeat")


def test_a_deprecated_route_is_marked() -> None:
    soon = deprecated(datetime(2026, 1, 31, tzinfo=UTC), datetime(2026, 12, 31, tzinfo=UTC))

    @post("/act", guards=[authenticated], return_dto=StructDTO[ToyRead], opt=soon)
    async def act() -> ToyRead:
        raise NotImplementedError

    operation = described(act)

    assert operation["deprecated"] is True
    assert {"Deprecation", "Sunset"} <= operation["responses"]["201"]["headers"].keys()


def test_a_versioned_resource_can_be_asked_for_again() -> None:
    @get("/toys/{toy_id:uuid}", guards=[public], return_dto=StructDTO[ToyRead])
    async def show(toy_id: FromPath[UUID]) -> ToyRead:
        raise NotImplementedError

    operation = described(show)

    assert {"304", "404", "422"} <= set(operation["responses"])
    assert "ETag" in operation["responses"]["200"]["headers"]
    assert operation["responses"]["304"].keys() == {"description", "headers"}
    assert [(each["name"], each["in"]) for each in operation["parameters"]] == [
        ("toy_id", "path"),
        ("If-None-Match", "header"),
    ]
    assert operation["parameters"][0]["schema"] == {"type": "string", "format": "uuid", "maxLength": 36}


def test_a_choice_of_answers_is_open() -> None:
    @get("/toys/{toy_id:uuid}", guards=[public])
    async def show(toy_id: FromPath[UUID]) -> ToyRead | ToyWithParts:
        raise NotImplementedError

    described_toys = document(show)
    ok = described_toys["paths"]["/toys/{toy_id}"]["get"]["responses"]["200"]

    assert ok["headers"]["ETag"]["required"] is False
    assert ok["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/AnyToy"}
    assert described_toys["components"]["schemas"]["AnyToy"]["anyOf"] == [
        {"$ref": "#/components/schemas/ToyRead"},
        {"$ref": "#/components/schemas/ToyWithParts"},
    ]


def test_a_choice_of_values_has_one_name_wherever_it_is() -> None:
    @get("/toys", guards=[public])
    async def find(color: FromQuery[Literal["red", "blue"]]) -> ToyInColor:
        raise NotImplementedError

    described_toys = document(find)
    color = {"$ref": "#/components/schemas/ToyColor"}

    assert set(described_toys["components"]["schemas"]["ToyColor"]["enum"]) == {"red", "blue"}
    assert described_toys["components"]["schemas"]["ToyInColor"]["properties"] == {
        "color": color,
        "other": {"oneOf": [color, {"type": "null"}]},
    }
    [parameter] = described_toys["paths"]["/toys"]["get"]["parameters"]
    assert parameter["schema"] == color


def test_a_body_that_may_be_left_out_is_not_required() -> None:
    @post("/toys", guards=[public], dto=StructDTO[ToyCreate], status_code=204)
    async def wind(data: JSONBody[ToyCreate | None] = None) -> None:
        raise NotImplementedError

    @post("/toys", guards=[public], dto=StructDTO[ToyCreate], status_code=204)
    async def make(data: JSONBody[ToyCreate]) -> None:
        raise NotImplementedError

    assert [described(each)["requestBody"]["required"] for each in (wind, make)] == [False, True]


def test_what_has_moved_says_where_to() -> None:
    @get("/toys/{toy_id:uuid}", guards=[public], return_dto=StructDTO[ToyRead], opt=MOVES)
    async def show(toy_id: FromPath[UUID]) -> ToyRead:
        raise NotImplementedError

    found = described(show)["responses"]["301"]

    assert (set(found), set(found["headers"])) == ({"description", "headers"}, {*IN_EVERY_RESPONSE, "Location"})


def test_lists_have_links() -> None:
    @get("/toys", guards=[public], return_dto=StructDTO[ToyPage])
    async def toys() -> Response[ToyPage]:
        raise NotImplementedError

    assert "Link" in described(toys)["responses"]["200"]["headers"]


def test_if_match_can_fail() -> None:
    @post("/toys", guards=[public], status_code=204)
    async def wind(if_match: NamedDependency[IfMatch]) -> None:
        raise NotImplementedError

    operation = described(wind)

    assert "412" in operation["responses"]
    [header] = operation["parameters"]
    assert header["name"] == "If-Match"
    for value, is_good in (('"1"', True), ('W/"2", "3"', True), ("*", True), ("1", False), ('"1', False)):
        assert bool(re.search(header["schema"]["pattern"], value)) is is_good


def test_parameters_are_plain() -> None:
    @get("/toys", guards=[public])
    async def toys(
        since: Annotated[datetime | None, QueryParameter(description="From then on.")] = None,
        size: Annotated[int | None, QueryParameter(ge=1, le=9)] = None,
        kind: Annotated[Literal["soft", "hard"] | None, QueryParameter()] = None,
        names: Annotated[list[str] | None, QueryParameter(name="name", max_items=3)] = None,
    ) -> None:
        raise NotImplementedError

    found = {each["name"]: each for each in described(toys)["parameters"]}

    assert found["since"] == {
        "name": "since",
        "in": "query",
        "required": False,
        "description": "From then on.",
        "schema": {"type": "string", "format": "date-time", "maxLength": 64},
    }
    assert found["size"]["schema"] == {"type": "integer", "minimum": 1, "maximum": 9, "format": "int32"}
    assert found["kind"]["schema"] == {"type": "string", "enum": ["soft", "hard"]}
    assert found["name"]["schema"] == {"type": "array", "items": {"type": "string"}, "maxItems": 3}


def test_a_real_choice_stays_one() -> None:
    schema = {"oneOf": [{"type": "string"}, {"type": "integer"}, {"type": "null"}]}

    tidied = tidy_parameter({"name": "x", "in": "query", "deprecated": False, "required": False, "schema": schema})

    assert tidied == {
        "name": "x",
        "in": "query",
        "required": False,
        "schema": {"oneOf": [{"type": "string"}, {"type": "integer"}]},
    }


def test_the_document_introduces_itself() -> None:
    whole = document(get("/b", guards=[public])(nothing), get("/a", guards=[public], include_in_schema=False)(nothing))

    assert whole["info"] == {
        "title": "Toy",
        "version": "1.2.3",
        "description": "A toy.",
        "contact": {"name": "Toy"},
        "license": {"name": "MIT", "identifier": "MIT"},
    }
    assert whole["tags"] == [{"name": "Toys", "description": "To play with."}]
    assert list(whole["paths"]) == ["/b"]
    assert whole["components"]["securitySchemes"]["OAuth2Password"]["flows"]["password"]["tokenUrl"] == "/login"
    assert whole["components"]["schemas"]["Problem"]["properties"]["errors"]["maxItems"] == 50
    assert whole["components"]["schemas"]["FieldError"]["properties"]["pointer"] == {
        "type": "string",
        "maxLength": 4096,
    }
