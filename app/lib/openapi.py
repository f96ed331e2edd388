"""The OpenAPI 3.1 document: what Litestar knows of the routes, and what only we know of them.

Litestar describes parameters, bodies and successes. Which errors a route can give, who may call it and which media
types it reads follow from its policy, its rules and ``may_raise``, so they are written here, in one place.
"""

from collections.abc import Iterable
from typing import Any

import msgspec
from litestar import Litestar
from litestar._openapi.plugin import OpenAPIPlugin  # the plugin that every app has; it has no public name
from litestar.config.app import AppConfig
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import OpenAPIConfig
from litestar.openapi.spec import Contact, License, Server, Tag
from litestar.routes import HTTPRoute

from app.lib.errors import AppError
from app.lib.http.rules import RequestRules, rules_of
from app.lib.problems import MEDIA_TYPE, Problem
from app.lib.security.policies import Authenticated, HasPermission, HasRole, IsSuperuser, Policy, policy_of

JSONObject = dict[str, Any]

MAY_RAISE = "may_raise"
OAUTH2, BEARER = "OAuth2Password", "Bearer"

_ALWAYS = {400, 406, 429, 431, 500, 503}
_WITH_BODY = {408, 413, 415, 422}
_WITH_IDEMPOTENCY = {409, 422}
_DESCRIPTIONS = {
    400: "The request could not be read, or has an unknown query parameter.",
    401: "Credentials are missing or not good.",
    402: "The payment was declined.",
    403: "Not allowed.",
    404: "Absent, or not visible to you.",
    406: "`Accept` excludes JSON.",
    408: "The body did not arrive in time.",
    409: "Conflict with the current state.",
    412: "The version that `If-Match` names is not the current one.",
    413: "The body is too large.",
    415: "The media type is not supported.",
    422: "Some fields are invalid.",
    428: "`If-Match` is required.",
    429: "Too many requests; wait for as long as `Retry-After` says.",
    431: "The headers are too large.",
    500: "Something went wrong on our side.",
    503: "Temporarily unavailable; try again after `Retry-After` seconds.",
}


def may_raise(*errors: type[AppError]) -> JSONObject:
    """For a handler's ``opt``: the business errors that it can answer with, beyond what its declarations imply."""
    return {MAY_RAISE: errors}


class DocumentInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What the document says about the service itself."""

    title: str
    version: str
    description: str
    token_url: str
    contact_url: str
    tags: tuple[tuple[str, str], ...] = ()


def build_document(app: Litestar, info: DocumentInfo) -> JSONObject:
    """The whole document, as plain JSON values."""
    document = _describe(app, info)
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    schemas.update(msgspec.json.schema_components((Problem,), ref_template="#/components/schemas/{name}")[1])
    used: set[int] = set()
    for path, method, handler in _operations(app):
        operation = document["paths"][path][method]
        used |= _complete(operation, handler)
    components["responses"] = {f"Error{status}": _error(status) for status in sorted(used)}
    components["securitySchemes"] = _security_schemes(info.token_url)
    document["paths"] = dict(sorted(document["paths"].items()))
    components["schemas"] = dict(sorted(schemas.items()))
    return document


def _describe(app: Litestar, info: DocumentInfo) -> JSONObject:
    config = OpenAPIConfig(
        title=info.title,
        version=info.version,
        description=info.description,
        contact=Contact(name=info.title, url=info.contact_url),
        license=License(name="MIT", identifier="MIT"),
        servers=[Server(url="/", description="This service")],
        tags=[Tag(name=name, description=text) for name, text in info.tags],
        render_plugins=[],
    )
    plugin = app.plugins.get(OpenAPIPlugin)
    plugin.on_app_init(AppConfig(openapi_config=config))
    return plugin.provide_openapi().to_schema()


def _operations(app: Litestar) -> Iterable[tuple[str, str, HTTPRouteHandler]]:
    for route in app.routes:
        if not isinstance(route, HTTPRoute):
            continue
        for method, (handler, _) in route.route_handler_map.items():
            if method != "OPTIONS" and handler.resolve_include_in_schema():
                yield route.path_format or "/", method.lower(), handler


def _complete(operation: JSONObject, handler: HTTPRouteHandler) -> set[int]:
    policy, rules = policy_of(handler), rules_of(handler)
    operation["security"] = _security(policy)
    _complete_body(operation, rules)
    if "idempotent" in handler.opt:
        operation.setdefault("parameters", []).append(_idempotency_parameter())
    responses: JSONObject = {k: v for k, v in operation["responses"].items() if k.startswith("2")}
    statuses = _statuses(handler, policy, rules, operation)
    for status in sorted(statuses):
        responses[str(status)] = {"$ref": f"#/components/responses/Error{status}"}
    operation["responses"] = responses
    for response in responses.values():
        response.pop("headers", None)
    return statuses


def _statuses(handler: HTTPRouteHandler, policy: Policy, rules: RequestRules, operation: JSONObject) -> set[int]:
    found = set(_ALWAYS)
    parameters = operation.get("parameters", [])
    if policy.reads_credentials:
        found.add(401)
    if isinstance(policy, HasRole | IsSuperuser) or (isinstance(policy, HasPermission) and not policy.or_self):
        found.add(403)
    if isinstance(policy, Authenticated) and policy.fresh:
        found.add(403)
    if any(parameter["in"] == "path" for parameter in parameters):
        found.add(404)
    if any(parameter["in"] in {"query", "header"} for parameter in parameters):
        found.add(422)
    if rules.consumes is not None:
        found |= _WITH_BODY
    if "idempotent" in handler.opt:
        found |= _WITH_IDEMPOTENCY
    return found | {error.status for error in handler.opt.get(MAY_RAISE, ())}


def _complete_body(operation: JSONObject, rules: RequestRules) -> None:
    body = operation.get("requestBody")
    if body is None or rules.consumes is None:
        return
    described = next(iter(body["content"].values()))
    body["content"] = dict.fromkeys(rules.consumes, described)


def _security(policy: Policy) -> list[JSONObject]:
    schemes: list[JSONObject] = [{OAUTH2: []}, {BEARER: []}]
    if policy.requires_credentials:
        return schemes
    return [{}, *schemes] if policy.reads_credentials else []


def _error(status: int) -> JSONObject:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": _DESCRIPTIONS[status], "content": {MEDIA_TYPE: {"schema": schema}}}


def _idempotency_parameter() -> JSONObject:
    return {
        "name": "Idempotency-Key",
        "in": "header",
        "required": False,
        "description": "Makes a retry safe: the same key and body within 24 hours get the first answer again.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[\\x20-\\x7e]+$"},
    }


def _security_schemes(token_url: str) -> JSONObject:
    flow = {"tokenUrl": token_url, "refreshUrl": token_url.replace("/login", "/refresh"), "scopes": {}}
    return {
        OAUTH2: {"type": "oauth2", "description": "For first-party clients.", "flows": {"password": flow}},
        BEARER: {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "An access token."},
    }
