"""A collection of requests (``.http``) made of the document: for the REST Client of VS Code, httpyac and the like."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import msgspec

from app.lib.openapi.components import JSONObject
from app.lib.openapi.samples import SampleRequest, sample_request, value_of

_METHODS = ("get", "post", "put", "patch", "delete")
_PARAMETER = re.compile(r"\{(\w+)\}")
_SIGNS_OUT = "logout"
_FRESH = {"email": "new-{{$timestamp}}@example.com", "username": "new{{$timestamp}}", "sku": "NEW-{{$timestamp}}"}
"""What may be there once only, in bodies that create something."""
_CREDENTIALS = {"username": "{{email}}", "password": "{{password}}"}


class _Operation(NamedTuple):
    method: str
    path: str
    described: JSONObject

    @property
    def name(self) -> str:
        return str(self.described["operationId"])


def http_collection(document: JSONObject, variables: Mapping[str, str]) -> str:
    """A request for each operation, with the examples of the document. Signs in first, deletes late, signs out last.

    What a request has created is named by those that follow: ``{{createRoom.response.body.id}}``. ``variables`` are
    those that the user may change, ``base``, ``email`` and ``password`` among them.
    """
    operations = [
        _Operation(method, path, item[method])
        for path, item in document["paths"].items()
        for method in _METHODS
        if method in item
    ]
    creators = {each.path: each.name for each in operations if "201" in each.described["responses"]}
    sections = [(title, inside) for title, inside in _sections(document, operations) if inside]
    [sign_in] = sections[0][1]
    used = {**variables, "token": f"{{{{{sign_in.name}.response.body.access_token}}}}"}
    parts = [_section(title, inside, document, creators, used) for title, inside in sections]
    head = [f"# {document['info']['title']}: every operation, written by `app docs export`.", ""]
    return "\n".join([*head, *(f"@{name} = {value}" for name, value in used.items()), "", *parts])


def _sections(document: JSONObject, operations: list[_Operation]) -> Iterator[tuple[str, list[_Operation]]]:
    flows = document["components"]["securitySchemes"]["OAuth2Password"]["flows"]
    token_path = urlsplit(flows["password"]["tokenUrl"]).path
    sign_in = next(each for each in operations if each.path == token_path)
    last_tag = sign_in.described["tags"][0]
    yield "Sign in", [sign_in]
    rest = [each for each in operations if each is not sign_in]
    deletions = [each for each in rest if each.method == "delete"]
    kept = [each for each in rest if each.method != "delete"]
    for tag in (each["name"] for each in document["tags"] if each["name"] != last_tag):
        inside = [each for each in kept if tag in each.described["tags"]]
        yield tag, sorted(inside, key=lambda each: "201" not in each.described["responses"])
    yield "Delete", [each for each in deletions if "{" in each.path and last_tag not in each.described["tags"]]
    ending = [each for each in kept if last_tag in each.described["tags"]]
    yield last_tag, sorted(ending, key=lambda each: _SIGNS_OUT in each.path)
    yield "The end", [each for each in deletions if "{" not in each.path or last_tag in each.described["tags"]]


def _section(
    title: str, inside: list[_Operation], document: JSONObject, creators: dict[str, str], used: dict[str, str]
) -> str:
    requests = [_request(each, document["components"]["examples"], creators, used) for each in inside]
    return f"### ======== {title}\n\n" + "\n".join(requests)


def _request(operation: _Operation, examples: JSONObject, creators: dict[str, str], used: dict[str, str]) -> str:
    parameters = {each["name"]: each for each in operation.described.get("parameters", [])}

    def reference(match: re.Match[str]) -> str:
        if creator := creators.get(operation.path[: match.start() - 1]):
            return _id_of(creator)
        used.setdefault(match[1], value_of(parameters[match[1]]))
        return f"{{{{{match[1]}}}}}"

    url = "{{base}}" + _PARAMETER.sub(reference, operation.path)
    sample = sample_request(operation.method.upper(), url, operation.described, examples)
    lines = [f"### {operation.described['summary']}", f"# @name {operation.name}"]
    lines.append(f"{sample.method} {sample.url}")
    return "\n".join([*lines, *_headers(sample), *_body(sample, operation, creators), ""])


def _headers(sample: SampleRequest) -> Iterator[str]:
    if sample.has_token:
        yield "Authorization: Bearer {{token}}"
    if sample.has_key:
        yield "Idempotency-Key: {{$guid}}"
    if sample.form is not None:
        yield "Content-Type: application/x-www-form-urlencoded"
    yield from (f"{name}: {value}" for name, value in sample.headers.items())


def _body(sample: SampleRequest, operation: _Operation, creators: dict[str, str]) -> Iterator[str]:
    if sample.form is not None:
        form = {name: _CREDENTIALS.get(name, value) for name, value in sample.form.items()}
        yield from ("", "&".join(f"{name}={value}" for name, value in form.items()))
    elif sample.body is not None:
        references = {f"{name.removeprefix('create').lower()}_id": _id_of(name) for name in creators.values()}
        body = _with(sample.body, references | (_FRESH if operation.path in creators else {}))
        yield from ("", msgspec.json.format(msgspec.json.encode(body), indent=2).decode())


def _with(value: Any, replaced: Mapping[str, str]) -> Any:
    """The example with other values for these members, wherever they are text."""
    if isinstance(value, list):
        return [_with(each, replaced) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        name: replaced[name] if name in replaced and isinstance(each, str) else _with(each, replaced)
        for name, each in value.items()
    }


def _id_of(creator: str) -> str:
    return f"{{{{{creator}.response.body.id}}}}"
