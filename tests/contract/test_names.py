"""Names in the OpenAPI document."""

import re

from tests.contract.routes import DOCUMENT


def test_references_end_in_id() -> None:
    members = [
        re.search(r"/properties/([^/]+)(?:/(?:items|oneOf|anyOf)(?:/\d+)?)*$", where)
        for where, schema in of_type("string")
        if schema.get("format") == "uuid"
    ]

    assert {each[1] for each in members if each and not re.search(r"(?:^|_)ids?$", each[1])} == set()


def test_people_have_one_shape() -> None:
    shown = {
        name: schema["properties"].keys()
        for name, schema in SCHEMAS.items()
        if "avatar_url" in schema.get("properties", ())
    }

    assert shown.pop("PersonRead") == {"id", "username", "name", "avatar_url"}
    assert shown.keys() == {"ProfileRead", "ProfileUpdate", "PublicProfile", "WholeProfile"}


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

    assert ("Idempotency-Key" in parameters) is is_repeatable


def shows_a_secret(operation: dict[str, Any]) -> bool:
    """Whether the new resource comes with a secret, which must not be kept to be replayed."""
    schema = operation["responses"]["201"]["content"]["application/json"]["schema"]
    members = DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]]["properties"].keys()
    return bool({"secret", "ticket", "key", "recovery_codes"} & members)


def test_every_string_is_bounded() -> None:
    for where, schema in of_type("string"):
        bounded = schema.keys() & {"maxLength", "pattern", "enum", "const"}
        assert bounded, f"{where}: {schema}"


def test_every_integer_has_bounds() -> None:
    for where, schema in of_type("integer"):
        assert {"minimum", "maximum"} <= schema.keys(), f"{where}: {schema}"
        assert isinstance(schema["minimum"], int)
        assert isinstance(schema["maximum"], int)
        assert schema["format"] == ("int32" if schema["minimum"] > -(2**31) and schema["maximum"] < 2**31 else "int64")


def test_every_list_has_a_maximum() -> None:
    for where, schema in of_type("array"):
        assert "maxItems" in schema, f"{where}: {schema}"


@pytest.mark.parametrize("name", ["login", "refresh"])
def test_sign_in_is_described_as_the_form_of_oauth2(name: str) -> None:
    [(media_type, described)] = OPERATIONS[name]["requestBody"]["content"].items()

    assert media_type == "application/x-www-form-urlencoded"
    members = resolve(described["schema"])["properties"]
    assert {str(schema["type"]) for schema in members.values()} == {"string"}  # a form has no null


def test_no_body_has_members_that_are_not_read() -> None:
    for operation in OPERATIONS.values():
        for media_type in operation.get("requestBody", {}).get("content", {}).values():
            assert resolve(media_type["schema"])["additionalProperties"] is False


def test_parameters_are_never_null_and_say_what_they_are() -> None:
    for operation in OPERATIONS.values():
        for parameter in operation.get("parameters", []):
            assert "null" not in str(parameter["schema"].get("type")), parameter
            assert "oneOf" not in parameter["schema"], parameter
            assert parameter.get("description"), parameter


def test_components_are_described_and_leak_no_modules() -> None:
    for name in SCHEMAS:
        assert re.fullmatch(r"[A-Z][A-Za-z]+", name)
        assert SCHEMAS[name]["description"]
    text = msgspec.json.encode(DOCUMENT).decode()
    assert not re.search(r"\bapp[._](domain|lib)\b|\btests[._]", text)
    assert "``" not in text.replace("```", "")  # fences of the manual aside


def test_problems_name_every_code() -> None:
    assert "payload_too_large" in SCHEMAS["ErrorCode"]["enum"]
    assert SCHEMAS["ErrorCode"]["type"] == SCHEMAS["FieldCode"]["type"] == "string"
    assert SCHEMAS["Problem"]["required"] == ["type", "title", "status", "code", "detail", "instance", "request_id"]


def test_references_end_in_id_and_instants_in_at() -> None:
    """And what is tried or sent again is retried, in every domain."""
    members = [
        member for each in DOCUMENT["components"]["schemas"].values() for member in each.get("properties", {}).items()
    ]
    ids = {name for name, schema in members if schema.get("format") == "uuid"}
    instants = {name for name, schema in members if schema.get("format") == "date-time"}

    assert {name for name in ids if not f"_{name}".endswith("_id")} == set()
    assert {name for name in instants if not name.endswith("_at")} == set()
    assert len(ids) > 10 < len(instants)
    operations = [each["operationId"] for item in DOCUMENT["paths"].values() for each in item.values()]
    again = re.compile("resend|replay|rerun", re.IGNORECASE)
    assert [name for name in (*operations, *DOCUMENT["paths"]) if again.search(name)] == []
