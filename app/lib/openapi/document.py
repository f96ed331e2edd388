"""The OpenAPI 3.1 document: what Litestar knows of the routes, and what only we know of them.

Litestar describes parameters, bodies and successes. Which errors a route can give, who may call it, which media
types it reads and which headers it answers with follow from its policy, its rules, its types and ``may_raise``, so
they are written here, in one place.
"""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

import msgspec
from litestar import Litestar, Response
from litestar._openapi.plugin import OpenAPIPlugin  # the plugin that every app has; it has no public name
from litestar.config.app import AppConfig
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import OpenAPIConfig
from litestar.openapi.spec import Contact, License, Server, Tag
from litestar.routes import HTTPRoute

from app.lib.errors import AppError, ErrorCode
from app.lib.http.conditional import TAGGED, Versioned
from app.lib.http.deprecation import DEPRECATION
from app.lib.http.locations import MOVES
from app.lib.http.rules import FORM, JSON, MERGE_PATCH, RequestRules, rules_of
from app.lib.openapi.components import (
    HEADERS,
    IDEMPOTENCY_KEY,
    IF_NONE_MATCH,
    IN_EVERY_RESPONSE,
    PERHAPS_ETAG,
    JSONObject,
    header_reference,
    security_schemes,
    tidy_parameter,
    without_null,
)
from app.lib.openapi.errors import error_response, problem_schemas
from app.lib.openapi.examples import illustrate, take_examples
from app.lib.openapi.names import name_choices
from app.lib.openapi.patterns import make_portable
from app.lib.openapi.samples import code_samples, example_path
from app.lib.pagination.envelope import Page
from app.lib.security.policies import (
    ANY_MEANS,
    IN_PERSON,
    Authenticated,
    HasPermission,
    Policy,
    is_open_to_debtors,
    policy_of,
)

MAY_RAISE, FOR_WHOM, SENDS_HEADERS = "may_raise", "for_whom", "sends_headers"
OAUTH2, BEARER, TICKET = "OAuth2Password", "Bearer", "Ticket"

_OK, _CREATED, _ACCEPTED, _MOVED, _NOT_MODIFIED = "200", "201", "202", "301", "304"
_ALWAYS = {400, 406, 429, 431, 500, 503}
_WITH_BODY = {408, 413, 415, 422}
_WITH_IDEMPOTENCY = {409, 422}
_SUCCESSES = {
    "200": "Done.",
    "201": "Created.",
    "202": "Accepted; the rest happens later.",
    "204": "Done; there is nothing to say.",
    "301": "It has another address now.",
    "304": "What you have is current.",
}


def name_operations(app: Litestar) -> None:
    """Names the operations that have no name after their handlers: ``list_users`` is ``listUsers``."""
    for route in app.routes:
        for handler, _ in route.route_handler_map.values() if isinstance(route, HTTPRoute) else ():
            if handler.operation_id is None and handler.resolve_include_in_schema():
                first, *others = handler.handler_name.split("_")
                handler.operation_id = "".join([first, *map(str.capitalize, others)])


def may_raise(*errors: type[AppError]) -> JSONObject:
    """For a handler's ``opt``: the business errors that it can answer with, beyond what its declarations imply."""
    return {MAY_RAISE: errors}


def for_holders_of(code: str) -> JSONObject:
    """For the ``opt`` of a handler whose policy lets in more people than its service, which looks at the object."""
    return {FOR_WHOM: f"For holders of `{code}`."}


def sends_headers(status: int, *names: str) -> JSONObject:
    """For a handler's ``opt``: headers of a success, beyond what its declarations imply."""
    return {SENDS_HEADERS: {str(status): names}}


EXAMPLE_ORIGIN = "https://api.example.com"


class DocumentInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What the document says about the service itself."""

    title: str
    version: str
    description: str
    token_url: str
    """A path, like those in links of the description: ``base_path`` comes before it."""
    origin: str = EXAMPLE_ORIGIN
    """In samples. A file is of no service in particular, so that of an example."""
    base_path: str = ""
    contact_url: str | None = None
    contact_email: str | None = None
    tags: tuple[tuple[str, str], ...] = ()
    tag_groups: tuple[tuple[str, tuple[str, ...]], ...] = ()
    error_codes: tuple[ErrorCode, ...] = ()


def build_document(app: Litestar, info: DocumentInfo) -> JSONObject:
    """The whole document, as plain JSON values."""
    address = info.origin + info.base_path
    config = OpenAPIConfig(
        title=info.title,
        version=info.version,
        description=info.description.replace("](/", f"]({info.base_path}/").replace(EXAMPLE_ORIGIN, address),
        contact=Contact(name=info.title, url=info.contact_url, email=info.contact_email),
        license=License(name="MIT", identifier="MIT"),
        servers=[Server(url=info.base_path or "/", description="This service: in production, staging, or local.")],
        tags=[Tag(name=name, description=text) for name, text in info.tags],
        render_plugins=[],
    )
    plugin = app.plugins.get(OpenAPIPlugin)
    plugin.on_app_init(AppConfig(openapi_config=config))
    document: JSONObject = plugin.provide_openapi().to_schema()
    used: dict[int, list[str]] = {}
    raised: list[tuple[type[AppError], str]] = []
    components = document.setdefault("components", {})
    schemas = components.get("schemas", {}) | problem_schemas(info.error_codes)
    examples = take_examples(schemas)
    for route in app.routes:
        for method, (handler, _) in route.route_handler_map.items() if isinstance(route, HTTPRoute) else ():
            if method != "OPTIONS" and handler.resolve_include_in_schema():
                operation = document["paths"][route.path_format or "/"][method.lower()]
                with _naming(handler):
                    statuses = _complete(operation, handler)
                    path = info.base_path + example_path(route.path_format or "/", operation)
                    for status in statuses:
                        used.setdefault(status, []).append(path)
                    raised += [(each, path) for each in handler.opt.get(MAY_RAISE, ())]
                    illustrate(operation, examples, handler.opt)
                    operation["x-codeSamples"] = code_samples(method, info.origin + path, operation, examples)
    for name in _form_schemas(document):
        members: JSONObject = schemas[name]["properties"]
        schemas[name]["properties"] = {member: without_null(schema) for member, schema in members.items()}
    components["schemas"] = dict(sorted(schemas.items()))
    components["responses"] = {
        f"Error{status}": error_response(status, raised, info.base_path, paths)
        for status, paths in sorted(used.items())
    }
    components["headers"] = _referred(document, "headers", HEADERS)
    components["examples"] = _referred(document, "examples", examples)
    components["securitySchemes"] = security_schemes(OAUTH2, BEARER, TICKET, info.base_path + info.token_url)
    document["servers"][0]["x-internal"] = False
    document["x-tagGroups"] = [{"name": name, "tags": list(tags)} for name, tags in info.tag_groups]
    document["paths"] = dict(sorted(document["paths"].items()))
    name_choices(document)
    make_portable(document)
    return document


@contextmanager
def _naming(handler: HTTPRouteHandler) -> Generator[None]:
    """An error while a route is described says which one it is."""
    try:
        yield
    except Exception as exc:
        exc.add_note(f"while {handler} was described")
        raise


def _referred(document: JSONObject, kind: str, components: JSONObject) -> JSONObject:
    """The components that the document refers to, sorted."""
    text = msgspec.json.encode(document).decode()
    return {name: each for name, each in sorted(components.items()) if f'"#/components/{kind}/{name}"' in text}


def _form_schemas(document: JSONObject) -> Iterator[str]:
    """The names of the components that describe forms."""
    for item in document["paths"].values():
        for operation in item.values():
            form = operation.get("requestBody", {}).get("content", {}).get(FORM)
            if form is not None and "$ref" in form["schema"]:
                yield form["schema"]["$ref"].rpartition("/")[2]


def _complete(operation: JSONObject, handler: HTTPRouteHandler) -> set[int]:
    """Writes what Litestar does not know into an operation; returns the statuses of its errors."""
    policy, rules = policy_of(handler), rules_of(handler)
    operation.pop("deprecated", None)
    if DEPRECATION in handler.opt:
        operation["deprecated"] = True
    operation["security"] = _security(policy)
    operation["description"] = _description(operation.get("description"), handler, policy)
    body, data = operation.get("requestBody"), handler.parsed_data_field
    if body is not None and rules.consumes is not None:
        body["required"] = data is None or not data.is_optional
        body["description"] = _about_body(rules.consumes, handler.resolve_request_max_body_size())
        body["content"] = {rules.consumes[0]: next(iter(body["content"].values()))}
    answers = _answers(handler.parsed_return_field.annotation)
    is_tagged = TAGGED.keys() <= handler.opt.keys()
    tagged = [is_tagged or issubclass(each, Versioned) for each in answers] or [is_tagged]
    parameters = [tidy_parameter(each) for each in operation.get("parameters", [])]
    if "idempotent" in handler.opt:
        parameters.append(IDEMPOTENCY_KEY)
    if "GET" in handler.http_methods and any(tagged):
        parameters.append(IF_NONE_MATCH)
        operation["responses"][_NOT_MODIFIED] = {}
    if MOVES.keys() <= handler.opt.keys():
        operation["responses"][_MOVED] = {}
    if parameters:
        operation["parameters"] = parameters
    statuses = _statuses(handler, policy, rules, parameters)
    own = _SUCCESSES.keys() | map(str, handler.responses or ())
    successes = {status: each for status, each in sorted(operation["responses"].items()) if status in own}
    for status, response in successes.items():
        _complete_success(status, response, handler, answers, tagged)
    errors = {str(status): {"$ref": f"#/components/responses/Error{status}"} for status in sorted(statuses)}
    operation["responses"] = errors | successes
    return statuses


def _about_body(consumes: tuple[str, ...], most: Any) -> str:
    patch = "A JSON merge patch (RFC 7396). " if MERGE_PATCH in consumes else ""
    others = "".join(f" `{other}` is read as well." for other in consumes[1:])
    return f"{patch}At most {most:,} bytes.{others}"


def _statuses(handler: HTTPRouteHandler, policy: Policy, rules: RequestRules, parameters: list[JSONObject]) -> set[int]:
    found = set(_ALWAYS)
    if policy.reads_credentials:
        found.add(401)
    if isinstance(policy, HasPermission) and policy.sight is not policy:
        found.add(403)
    if policy.means != ANY_MEANS or (policy.reads_credentials and not is_open_to_debtors(handler)):
        found.add(403)
    if any(parameter["in"] == "path" for parameter in parameters) or getattr(policy, "sight", None) is not None:
        found.add(404)
    if any(parameter["in"] in {"query", "header"} for parameter in parameters):
        found.add(422)
    if any(parameter["name"] == "If-Match" for parameter in parameters):
        found.add(412)
    if rules.consumes is not None or rules.refuses_members:
        found |= _WITH_BODY
    if "idempotent" in handler.opt:
        found |= _WITH_IDEMPOTENCY
    return found | {error.status for error in handler.opt.get(MAY_RAISE, ())}


def _description(given: str | None, handler: HTTPRouteHandler, policy: Policy) -> str:
    """What the author wrote, and who may call it: the policy says that best."""
    sentences = [given] if given else []
    if FOR_WHOM in handler.opt:
        sentences.append(handler.opt[FOR_WHOM])
    elif isinstance(policy, HasPermission):
        sentences.append(f"For holders of `{policy.code}`{', or about yourself' if policy.or_self else ''}.")
    elif policy.takes_ticket:
        sentences.append("For everybody who is signed in, or brings a ticket.")
    elif policy.requires_credentials:
        sentences.append("For everybody who is signed in.")
    else:
        sentences.append("Open to everybody.")
    if isinstance(policy, Authenticated) and policy.fresh:
        sentences.append("Needs a sign-in within the last 10 minutes.")
    if policy.means != ANY_MEANS:
        sentences.append("Not for API keys or impersonation." if policy.means == IN_PERSON else "Not for API keys.")
    if is_open_to_debtors(handler):
        sentences.append("Also while `password_change_required` or `mfa_enrollment_required` closes other routes.")
    if "idempotent" in handler.opt:
        sentences.append("Safe to repeat with an `Idempotency-Key`.")
    return " ".join(sentences)


def _complete_success(
    status: str, response: JSONObject, handler: HTTPRouteHandler, answers: list[type], tagged: list[bool]
) -> None:
    response["description"] = _SUCCESSES.get(status) or response["description"]
    if "content" in response:
        response["content"] = {(name or JSON).partition(";")[0]: each for name, each in response["content"].items()}
        for name, media_type in response["content"].items():
            if name != JSON:  # a document of another kind, which JSON Schema has no say in
                media_type["schema"] = {}
            # Several of a choice of answers may fit: they are open to members that a client does not know.
            if "oneOf" in media_type["schema"]:
                media_type["schema"]["anyOf"] = media_type["schema"].pop("oneOf")
    names = [*IN_EVERY_RESPONSE]
    if status in {_CREATED, _MOVED}:
        names.append("Location")
    if any(issubclass(each, Page) for each in answers):
        names.append("Link")
    if "idempotent" in handler.opt:
        names.append("Idempotency-Replayed")
    if DEPRECATION in handler.opt:
        names += ["Deprecation", "Sunset"]
    names += handler.opt.get(SENDS_HEADERS, {}).get(status, ())
    response["headers"] = headers = {name: header_reference(name) for name in names}
    if status in {_OK, _CREATED, _ACCEPTED, _NOT_MODIFIED} and any(tagged):
        perhaps = status in {_OK, _ACCEPTED} and not all(tagged)
        headers["ETag"] = PERHAPS_ETAG if perhaps else header_reference("ETag")


def _answers(annotation: Any) -> list[type]:
    """The types that a handler may return, without the ``Response`` around them."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in {Union, UnionType} or (isinstance(origin, type) and issubclass(origin, Response)):
        return [answer for each in arguments for answer in _answers(each)]
    answer = origin or annotation
    return [answer] if isinstance(answer, type) and answer is not NoneType else []


def _security(policy: Policy) -> list[JSONObject]:
    schemes: list[JSONObject] = [{OAUTH2: []}, {BEARER: []}]
    if policy.takes_ticket:
        return [*schemes, {TICKET: []}]
    if policy.requires_credentials:
        return schemes
    return [{}, *schemes] if policy.reads_credentials else []
