"""The parts of the OpenAPI document that are the same in every one: headers, parameters, credentials."""

from typing import Any

from app.lib.db.idempotency import MAX_KEY_LENGTH
from app.lib.http.conditional import MAX_IF_NONE_MATCH
from app.lib.wire.struct_schema import example_id

JSONObject = dict[str, Any]

_SECONDS = {"type": "integer", "minimum": 1, "maximum": 86_400}


def _text(description: str, *, pattern: str | None = None, maximum: int = 512, required: bool = True) -> JSONObject:
    schema: JSONObject = {"type": "string", "maxLength": maximum}
    if pattern is not None:
        schema["pattern"] = pattern
    return {"description": description, "required": required, "schema": schema}


HEADERS: JSONObject = {
    "Access-Control-Allow-Origin": _text("The page's origin, or `*`, where that origin is listed.", required=False),
    "Deprecation": _text("Since when the route is deprecated (RFC 9745).", pattern="^@-?[0-9]+$", maximum=20),
    "ETag": _text("The version, for `If-Match` and `If-None-Match`.", pattern='^(?:W/)?"[^"]*"$', maximum=80),
    "Idempotency-Replayed": {
        "description": "`true` when this is the answer to an earlier request with the same key.",
        "schema": {"type": "string", "const": "true"},
    },
    "Link": _text("The pages around this one (RFC 8288).", maximum=32_768, required=False),
    "Location": _text("Where the resource is.", pattern="^/", maximum=2048),
    "RateLimit": _text("What is left of each limit, `r` for `t` seconds; not where nothing counts.", required=False),
    "RateLimit-Policy": _text("The limits, `q` in `w` seconds; not where nothing counts.", required=False),
    "Retry-After": {"description": "Seconds to wait.", "required": True, "schema": _SECONDS},
    "Sunset": _text("When the route goes (RFC 8594).", maximum=40),
    "Vary": _text("The request headers that the answer depends on."),
    "WWW-Authenticate": _text("What is wrong with the credentials (RFC 6750).", pattern="^Bearer"),
    "X-Request-ID": _text(
        "The id of the exchange; the one you sent, if it was good.", pattern="^[A-Za-z0-9._-]{8,64}$", maximum=64
    ),
}
IN_EVERY_RESPONSE = ("X-Request-ID", "RateLimit", "RateLimit-Policy", "Access-Control-Allow-Origin")

PERHAPS_ETAG: JSONObject = {**HEADERS["ETag"], "required": False}
"""Where some of the answers have a version and others do not."""


def header_reference(name: str) -> JSONObject:
    """A reference to one of :data:`HEADERS`."""
    return {"$ref": f"#/components/headers/{name}"}


def tidy_parameter(parameter: JSONObject) -> JSONObject:
    """Litestar's description of a parameter without what says nothing or cannot be."""
    kept = {name: value for name, value in parameter.items() if value is not False or name == "required"}
    kept["schema"] = schema = without_null(parameter["schema"])
    schema.pop("description", None)
    for bound in ("minimum", "maximum"):
        if isinstance(schema.get(bound), float):
            schema[bound] = int(schema[bound])
    schema.update(_FORMATS.get(schema.get("format", ""), {}))
    if kept["in"] == "path" and schema.get("format") == "uuid":
        kept["example"] = example_id(parameter["name"])
        kept.setdefault("description", f"The id of the {parameter['name'].removesuffix('_id').replace('_', ' ')}.")
    if kept["in"] == "path" and schema.get("type") == "integer":
        kept["example"] = schema.get("minimum", 1)
    return kept


def without_null(schema: JSONObject) -> JSONObject:
    """The schema of a value in a query or a form.

    "Or null" means nothing there, so the constraints next to that choice belong to the one that is left.
    """
    schema = dict(schema)
    options = [each for each in schema.pop("oneOf", []) if each != {"type": "null"}]
    if len(options) == 1:
        schema = {**options[0], **schema}
    elif options:
        schema["oneOf"] = options
    if "enum" in schema:
        schema["enum"] = [each for each in schema["enum"] if each is not None]
    if isinstance(schema.get("type"), list):
        schema["type"] = next(each for each in schema["type"] if each != "null")
    return schema


# The same bounds as in the schemas of bodies.
_FORMATS: dict[str, JSONObject] = {"uuid": {"maxLength": 36}, "date-time": {"maxLength": 64}}


# Without a space at either end, because HTTP takes those away.
_PRINTABLE = "^[\\x21-\\x7e](?:[\\x20-\\x7e]*[\\x21-\\x7e])?$"


IDEMPOTENCY_KEY: JSONObject = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Makes a retry safe: the same key and body within 24 hours get the first answer again.",
    "schema": {"type": "string", "minLength": 1, "maxLength": MAX_KEY_LENGTH, "pattern": _PRINTABLE},
}
IF_NONE_MATCH: JSONObject = {
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
        oauth2: {
            "type": "oauth2",
            "description": "For first-party clients. Access tokens are JWTs, made and checked as RFC8725 says.",
            "flows": {"password": flow},
        },
        bearer: {
            "type": "http",
            "scheme": "bearer",
            "description": "An access token (a JWT), or an API key (`ldk_…`).",
        },
        ticket: {"type": "apiKey", "in": "query", "name": "ticket", "description": "Good once, for half a minute."},
    }
