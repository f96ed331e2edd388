"""A collection of requests (``.http``) made of the document: for the REST Client of VS Code, httpyac and the like."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit

import msgspec

from app.lib.openapi.components import JSONObject
from app.lib.openapi.samples import SampleRequest, sample_request, value_of

_METHODS = ("get", "post", "put", "patch", "delete")
_PARAMETER = re.compile(r"\{(\w+)\}")
_ANSWER = re.compile(r"\{\{(\w+)\.response\.")
_FRESH = {
    "email": "{name}-{{{{$timestamp}}}}@example.com",
    "username": "{name}{{{{$timestamp}}}}",
    "slug": "{name}-{{{{$timestamp}}}}",
    "sku": "{name}-{{{{$timestamp}}}}",
}
"""What may be there once only, in bodies that create or change something."""
_CREDENTIALS = {"username": "{{email}}", "password": "{{password}}"}


class Steps(msgspec.Struct, frozen=True, kw_only=True):
    """What a run from the top to the bottom has to know of some operations, by their ids. Others need nothing."""

    last: tuple[str, ...] = ()
    """They come after the others of their tag, in this order."""
    late: tuple[str, ...] = ()
    """They come with the deletions, because something in the background has to be over before."""
    repeats: Mapping[str, str] = {}
    """Operations that are needed once more, by the name of the further request. It comes before the first that uses
    its answer.
    """
    values: Mapping[str, Mapping[str, Any]] = {}
    """Parameters, members of the body and headers of a request, and its ``token``; ``None`` leaves a member out. What
    they name as ``{{getMe.response.body.id}}`` is asked for before.
    """
    lacks: Mapping[str, str] = {}
    """What these need and a run has not. They come last."""


class _Operation(NamedTuple):
    method: str
    path: str
    described: JSONObject
    name: str


class _Collection:
    """Writes each request once, after those that it uses the answers of."""

    def __init__(self, document: JSONObject, steps: Iterable[Steps], variables: Mapping[str, str]) -> None:
        self.document, self.variables = document, dict(variables)
        self.operations = {
            item[method]["operationId"]: _Operation(method, path, item[method], item[method]["operationId"])
            for path, item in document["paths"].items()
            for method in _METHODS
            if method in item
        }
        self.creators = {
            each.path: name for name, each in self.operations.items() if "201" in each.described["responses"]
        }
        self.ids = {f"{name.removeprefix('create').lower()}_id": _id_of(name) for name in self.creators.values()}
        self.last, self.late = list[str](), list[str]()
        self.values, self.lacks = dict[str, Mapping[str, Any]](), dict[str, str]()
        self.requests = dict(self.operations)
        for each in steps:
            self.last += each.last
            self.late += each.late
            for name, values in each.values.items():
                self.values[name] = {**self.values.get(name, {}), **values}
            self.lacks |= each.lacks
            self.requests |= {
                name: self.operations[of]._replace(name=name)
                for name, of in each.repeats.items()
                if of in self.operations
            }
        self.written = set[str]()

    def sections(self) -> Iterator[tuple[str, list[_Operation]]]:
        """Signs out and deletes late, children before parents; what cannot succeed takes nothing from the others."""
        flows = self.document["components"]["securitySchemes"]["OAuth2Password"]["flows"]
        token_path = urlsplit(flows["password"]["tokenUrl"]).path
        sign_in = next(each for each in self.operations.values() if each.path == token_path)
        self.variables["token"] = f"{{{{{sign_in.name}.response.body.access_token}}}}"
        yield "Sign in", [sign_in]
        lacking = [each for name, each in self.operations.items() if name in self.lacks]
        [last_tag] = sign_in.described["tags"]
        rest = [each for name, each in self.operations.items() if name not in self.lacks]
        late = [
            each
            for each in rest
            if each.name in self.late or (each.method == "delete" and last_tag not in each.described["tags"])
        ]
        for tag in sorted((each["name"] for each in self.document["tags"]), key=lambda name: bool(name == last_tag)):
            inside = [each for each in rest if tag in each.described["tags"] and each not in late]
            yield tag, sorted(inside, key=self._rank)
        yield "Late, and deletions", sorted(late, key=lambda each: (each.method == "delete", -each.path.count("/")))
        yield "What needs more than a run has", sorted(lacking, key=_is_endless)

    def _rank(self, operation: _Operation) -> tuple[int, bool]:
        place = self.last.index(operation.name) + 1 if operation.name in self.last else 0
        return place, "201" not in operation.described["responses"]

    def write(self, request: _Operation) -> Iterator[str]:
        if request.name in self.written:
            return
        self.written.add(request.name)
        text = self._text(request)
        for name in _ANSWER.findall(text):
            yield from self.write(self.requests[name])
        yield text

    def _text(self, request: _Operation) -> str:
        parameters = {each["name"]: each for each in request.described.get("parameters", [])}
        values = self.values.get(request.name, self.values.get(str(request.described["operationId"]), {}))

        def reference(match: re.Match[str]) -> str:
            if match[1] in values:
                return str(values[match[1]])
            if creator := self.creators.get(request.path[: match.start() - 1]):
                return _id_of(creator)
            if match[1] in self.ids:
                return self.ids[match[1]]
            self.variables.setdefault(match[1], value_of(parameters[match[1]]))
            return f"{{{{{match[1]}}}}}"

        url = "{{base}}" + _PARAMETER.sub(reference, request.path)
        examples = self.document["components"]["examples"]
        sample = sample_request(request.method.upper(), url, request.described, examples)
        lines = [f"### {request.described['summary']}", f"# @name {request.name}"]
        if request.name in self.lacks:
            lines.append(f"# Needs {self.lacks[request.name]}")
        lines.append(f"{sample.method} {_with_query(sample.url, parameters, values)}")
        members = self._members(request) | dict(values)
        return "\n".join([*lines, *_headers(sample, values), *_body(sample, members), ""])

    def _members(self, request: _Operation) -> dict[str, Any]:
        if request.method not in {"patch", "put"} and request.path not in self.creators:
            return self.ids
        return self.ids | {member: text.format(name=request.name.lower()) for member, text in _FRESH.items()}


def http_collection(document: JSONObject, variables: Mapping[str, str], steps: Iterable[Steps] = ()) -> str:
    """A request for each operation, with the examples of the document, in an order in which they succeed one after the
    other. Signs in first, deletes late, signs out last.

    What a request has created is named by those that follow: ``{{createRoom.response.body.id}}``. ``variables`` are
    those that the user may change, ``base``, ``email`` and ``password`` among them.
    """
    collection = _Collection(document, steps, variables)
    parts = [
        f"### ======== {title}\n\n" + "\n".join(written)
        for title, inside in collection.sections()
        if (written := [text for each in inside for text in collection.write(each)])
    ]
    head = [f"# {document['info']['title']}: every operation, written by `app docs export`.", ""]
    return "\n".join([*head, *(f"@{name} = {value}" for name, value in collection.variables.items()), "", *parts])


def _is_endless(operation: _Operation) -> bool:
    return "text/event-stream" in operation.described["responses"].get("200", {}).get("content", {})


def _with_query(url: str, parameters: Mapping[str, JSONObject], values: Mapping[str, Any]) -> str:
    path, _, query = url.partition("?")
    chosen = {name: values[name] for name, each in parameters.items() if each["in"] == "query" and name in values}
    whole = urlencode(dict(parse_qsl(query)) | chosen, doseq=True, safe="{}")
    return f"{path}?{whole}" if whole else path


def _headers(sample: SampleRequest, values: Mapping[str, Any]) -> Iterator[str]:
    if sample.has_token:
        yield f"Authorization: Bearer {values.get('token', '{{token}}')}"
    if sample.has_key:
        yield "Idempotency-Key: {{$guid}}"
    if sample.form is not None:
        yield "Content-Type: application/x-www-form-urlencoded"
    yield from (f"{name}: {values.get(name, value)}" for name, value in sample.headers.items())


def _body(sample: SampleRequest, members: Mapping[str, Any]) -> Iterator[str]:
    if sample.form is not None:
        form = {name: members.get(name, _CREDENTIALS.get(name, value)) for name, value in sample.form.items()}
        yield from ("", "&".join(f"{name}={value}" for name, value in form.items()))
    elif sample.body is not None:
        yield from ("", msgspec.json.format(msgspec.json.encode(_with(sample.body, members)), indent=2).decode())


def _with(value: Any, replaced: Mapping[str, Any]) -> Any:
    """The example with other values for these members, wherever they are."""
    if isinstance(value, list):
        return [_with(each, replaced) for each in value]
    if not isinstance(value, dict):
        return value
    members = {name: replaced[name] if name in replaced else _with(each, replaced) for name, each in value.items()}
    return {name: each for name, each in members.items() if each is not None or value[name] is None}


def _id_of(creator: str) -> str:
    return f"{{{{{creator}.response.body.id}}}}"
