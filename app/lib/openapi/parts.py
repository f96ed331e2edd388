"""The parts of the OpenAPI document that are the same in every one: errors, headers, credentials."""

import inspect
from collections.abc import Iterable
from typing import Any

import msgspec

from app.lib import errors
from app.lib.db.idempotency import MAX_KEY_LENGTH
from app.lib.errors import AppError, ErrorCode
from app.lib.http.conditional import MAX_IF_NONE_MATCH
from app.lib.http.problems import ERROR_OF_STATUS, MEDIA_TYPE, Problem

JSONObject = dict[str, Any]

_ERROR_HEADERS = {401: "WWW-Authenticate", 429: "Retry-After", 503: "Retry-After"}
_SECONDS = {"type": "integer", "minimum": 1, "maximum": 86_400}


def _text(description: str, *, pattern: str | None = None, maximum: int = 512, required: bool = True) -> JSONObject:
    schema: JSONObject = {"type": "string", "maxLength": maximum}
    if pattern is not None:
        schema["pattern"] = pattern
    return {"description": description, "required": required, "schema": schema}


HEADERS: JSONObject = {
    "ETag": _text("The version, for `If-Match` and `If-None-Match`.", pattern='^(?:W/)?"[^"]*"$', maximum=80),
    "Idempotency-Replayed": {
        "description": "`true` when this is the answer to an earlier request with the same key.",
        "schema": {"type": "string", "const": "true"},
    },
    "Link": _text("The pages around this one (RFC 8288).", maximum=32_768, required=False),
    "Location": _text("Where the resource is.", pattern="^/", maximum=2048),
    "Retry-After": {"description": "Seconds to wait.", "required": True, "schema": _SECONDS},
    "WWW-Authenticate": _text("What is wrong with the credentials (RFC 6750).", pattern="^Bearer"),
    "X-Request-ID": _text(
        "The id of the exchange; the one you sent, if it was good.", pattern="^[A-Za-z0-9._-]{8,64}$", maximum=64
    ),
}


PERHAPS_ETAG: JSONObject = {**HEADERS["ETag"], "required": False}
"""Where some of the answers have a version and others do not."""


def header_reference(name: str) -> JSONObject:
    """A reference to one of :data:`HEADERS`."""
    return {"$ref": f"#/components/headers/{name}"}


def error_response(status: int, raised: Iterable[type[AppError]]) -> JSONObject:
    """The response for all errors of a status. ``raised`` are those that handlers declare: one of them is the example
    of a status that the kit itself never answers with.
    """
    headers = {"X-Request-ID": header_reference("X-Request-ID")}
    if (name := _ERROR_HEADERS.get(status)) is not None:
        headers[name] = header_reference(name)
    code = (ERROR_OF_STATUS.get(status) or next(each for each in raised if each.status == status)).code
    example: JSONObject = {
        "type": code.type,
        "title": code.title,
        "status": status,
        "code": code.value,
        "detail": code.advice,
        "instance": "/api/v1/users",
        "request_id": "0193a3c4-5b6d-7e8f-9a0b-1c2d3e4f5a6b",
    }
    if status == errors.ValidationFailed.status:
        example["errors"] = [{"pointer": "/name", "code": "too_short", "detail": "Must have at least 2 characters."}]
    media_type = {"schema": {"$ref": "#/components/schemas/Problem"}, "examples": {code.value: {"value": example}}}
    return {"description": f"{code.title}.", "headers": headers, "content": {MEDIA_TYPE: media_type}}


def problem_schemas(codes: Iterable[ErrorCode]) -> JSONObject:
    """The schemas of a problem and its parts. Members that may be absent are never null."""
    schemas: JSONObject = msgspec.json.schema_components((Problem,), ref_template="#/components/schemas/{name}")[1]
    schemas["ErrorCode"] = {
        "enum": sorted(code.value for code in codes),
        "description": "The closed list of problem codes. The code is the contract; the rest of a problem is prose.",
    }
    schemas["Problem"]["properties"]["code"] = {"$ref": "#/components/schemas/ErrorCode"}
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


def tidy_parameter(parameter: JSONObject) -> JSONObject:
    """Litestar's description of a parameter without what says nothing or cannot be.

    "Or null" means nothing in a query, so the constraints next to that choice belong to the one that is left.
    """
    kept = {name: value for name, value in parameter.items() if value is not False or name == "required"}
    schema: JSONObject = dict(parameter["schema"])
    options = [each for each in schema.pop("oneOf", []) if each != {"type": "null"}]
    if len(options) == 1:
        schema = {**options[0], **schema}
    elif options:
        schema["oneOf"] = options
    schema.pop("description", None)
    if "enum" in schema:
        schema["enum"] = [each for each in schema["enum"] if each is not None]
    if isinstance(schema.get("type"), list):
        schema["type"] = next(each for each in schema["type"] if each != "null")
    for bound in ("minimum", "maximum"):
        if isinstance(schema.get(bound), float):
            schema[bound] = int(schema[bound])
    schema.update(_FORMATS.get(schema.get("format", ""), {}))
    kept["schema"] = schema
    return kept


# The same bounds as in the schemas of bodies.
_FORMATS: dict[str, JSONObject] = {"uuid": {"maxLength": 36}, "date-time": {"maxLength": 64}}


# Without a space at either end, because HTTP takes those away.
_PRINTABLE = "^[\\x21-\\x7e](?:[\\x20-\\x7e]*[\\x21-\\x7e])?$"


def idempotency_parameter() -> JSONObject:
    """The header that makes a creation safe to repeat."""
    return {
        "name": "Idempotency-Key",
        "in": "header",
        "required": False,
        "description": "Makes a retry safe: the same key and body within 24 hours get the first answer again.",
        "schema": {"type": "string", "minLength": 1, "maxLength": MAX_KEY_LENGTH, "pattern": _PRINTABLE},
    }


def if_none_match_parameter() -> JSONObject:
    """The header that saves the transfer of what the client has."""
    return {
        "name": "If-None-Match",
        "in": "header",
        "required": False,
        "description": "The ETags of the versions that you have.",
        "schema": {"type": "string", "maxLength": MAX_IF_NONE_MATCH},
    }


def security_schemes(oauth2: str, bearer: str, ticket: str, token_url: str) -> JSONObject:
    """The password form for first-party clients and documentation pages, plain access tokens, and tickets."""
    flow = {"tokenUrl": token_url, "refreshUrl": token_url.replace("/login", "/refresh"), "scopes": {}}
    return {
        oauth2: {"type": "oauth2", "description": "For first-party clients.", "flows": {"password": flow}},
        bearer: {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "An access token."},
        ticket: {"type": "apiKey", "in": "query", "name": "ticket", "description": "Good once, for half a minute."},
    }
