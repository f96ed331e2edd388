"""The errors in the OpenAPI document: a response for each status, and the schemas of a problem."""

import inspect
from collections.abc import Collection, Sequence

import msgspec

from app.lib.errors import AppError, ErrorCode, ValidationFailed
from app.lib.http.problems import ERROR_OF_STATUS, MEDIA_TYPE, Problem
from app.lib.openapi.components import IN_EVERY_RESPONSE, JSONObject, header_reference

_USUAL = "/api/v1/users"
"""Where errors happen in examples; the field error of the example fits the bodies there."""
_ERROR_HEADERS = {401: "WWW-Authenticate", 429: "Retry-After", 503: "Retry-After"}


def error_response(
    status: int, raised: Sequence[tuple[type[AppError], str]], base_path: str, paths: Sequence[str]
) -> JSONObject:
    """The response for all errors of a status, which operations at ``paths`` may give. ``raised`` are those that
    handlers declare, with their paths: one of them is the example of a status that the kit itself never answers with.
    """
    headers = {name: header_reference(name) for name in IN_EVERY_RESPONSE}
    if (name := _ERROR_HEADERS.get(status)) is not None:
        headers[name] = header_reference(name)
    own = {each.code.value: (each.code, path) for each, path in reversed(raised) if each.status == status}
    code = ERROR_OF_STATUS[status].code if status in ERROR_OF_STATUS else next(iter(own.values()))[0]
    example: JSONObject = {
        "type": base_path + code.type,
        "title": code.title,
        "status": status,
        "code": code.value,
        "detail": code.advice,
        "instance": usual if (usual := f"{base_path}{_USUAL}") in paths else paths[0],
        "request_id": "0193a3c4-5b6d-7e8f-9a0b-1c2d3e4f5a6b",
    }
    if status == ValidationFailed.status:
        example["errors"] = [{"pointer": "/name", "code": "too_short", "detail": "Must have at least 2 characters."}]
    examples = {code.value: {"value": example}}
    for other, path in own.values():
        if other.members:
            named = {"type": base_path + other.type, "title": other.title, "code": other.value, "detail": other.advice}
            members = {name: shown for name, _, shown in other.members}
            examples[other.value] = {"value": {**example, **named, "instance": path, **members}}
    media_type = {"schema": {"$ref": "#/components/schemas/Problem"}, "examples": examples}
    return {"description": f"{code.title}.", "headers": headers, "content": {MEDIA_TYPE: media_type}}


def problem_schemas(codes: Collection[ErrorCode]) -> JSONObject:
    """The schemas of a problem and its parts. Members that may be absent are never null."""
    schemas: JSONObject = msgspec.json.schema_components((Problem,), ref_template="#/components/schemas/{name}")[1]
    schemas["ErrorCode"] = {
        "enum": sorted(code.value for code in codes),
        "description": "The closed list of problem codes. The code is the contract; the rest of a problem is prose.",
    }
    schemas["Problem"]["properties"]["code"] = {"$ref": "#/components/schemas/ErrorCode"}
    for code in codes:
        for name, text, _ in code.members:
            member = {"type": "string", "maxLength": 500, "description": f"Comes with `{code.value}`. {text}"}
            schemas["Problem"]["properties"][name] = member
    for schema in schemas.values():
        schema.pop("title", None)
        schema["description"] = " ".join(inspect.cleandoc(schema["description"]).split("\n\n")[0].split())
        schema["description"] = schema["description"].replace("``", "`")
        if "enum" in schema:
            schema["type"] = "string"
        for member in schema.get("properties", {}).values():
            for option in member.pop("anyOf", []):
                if option != {"type": "null"}:
                    member.update(option)
            member.pop("default", None)
    return schemas
