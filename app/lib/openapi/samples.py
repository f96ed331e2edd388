"""Code samples of an operation (``x-codeSamples``), made of what the document says of it."""

import re
import shlex
from collections.abc import Callable, Mapping
from pprint import pformat
from textwrap import indent
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

from app.lib.http.rules import FORM, JSON
from app.lib.openapi.components import JSONObject
from app.lib.openapi.examples import example_of

_PARAMETER = re.compile(r"\{(\w+)\}")
_TOKEN, _KEY = "Authorization", "Idempotency-Key"


class SampleRequest(msgspec.Struct, frozen=True):
    """A request as samples show it. ``headers`` are those whose values are the same each time."""

    method: str
    url: str
    headers: Mapping[str, str]
    has_token: bool
    has_key: bool
    form: Mapping[str, str] | None
    body: Any


def code_samples(method: str, url: str, operation: JSONObject, examples: JSONObject) -> list[JSONObject]:
    """For an operation that has its examples; the path of the URL is one of :func:`example_path`."""
    request = sample_request(method.upper(), url, operation, examples)
    writers: tuple[tuple[str, str, Callable[[SampleRequest], str]], ...] = (
        ("Shell", "curl", _curl),
        ("Python", "Python (httpx)", _python),
        ("JavaScript", "JavaScript (fetch)", _javascript),
    )
    return [{"lang": lang, "label": label, "source": write(request)} for lang, label, write in writers]


def example_path(path: str, operation: JSONObject) -> str:
    """The path with the examples of its parameters."""
    values = {each["name"]: value_of(each) for each in operation.get("parameters", []) if each["in"] == "path"}
    return _PARAMETER.sub(lambda match: quote(values[match[1]]), path)


def sample_request(method: str, url: str, operation: JSONObject, examples: JSONObject) -> SampleRequest:
    """The same request for every language."""
    parameters = operation.get("parameters", [])
    query = {each["name"]: value_of(each) for each in parameters if each["in"] == "query" and each.get("required")}
    content = operation.get("requestBody", {}).get("content", {})
    media_type, described = next(iter(content.items()), (None, {}))
    body = example_of(described, examples)
    headers = {"Content-Type": JSON} if media_type == JSON else {}
    if "428" in operation["responses"]:
        headers["If-Match"] = '"1"'
    security = operation["security"]
    return SampleRequest(
        method=method,
        url=f"{url}?{urlencode(query)}" if query else url,
        headers=headers,
        has_token=bool(security) and {} not in security,
        has_key=any(each["name"] == _KEY for each in parameters),
        form={name: str(value) for name, value in body.items()} if media_type == FORM and body else None,
        body=body if media_type == JSON else None,
    )


def value_of(parameter: JSONObject) -> str:
    """An example of a parameter."""
    schema = parameter["schema"]
    found = parameter.get("example", next(iter(schema.get("examples", ())), schema.get("default", parameter["name"])))
    return str(found[0] if isinstance(found, list) else found)


def _curl(request: SampleRequest) -> str:
    parts = [f"curl -X {request.method} {shlex.quote(request.url)}"]
    if request.has_token:
        parts.append(f'-H "{_TOKEN}: Bearer $TOKEN"')
    if request.has_key:
        parts.append(f'-H "{_KEY}: $(uuidgen)"')
    parts += [f"-H {shlex.quote(f'{name}: {value}')}" for name, value in request.headers.items()]
    if request.form is not None:
        parts += [f"--data-urlencode {shlex.quote(f'{name}={value}')}" for name, value in request.form.items()]
    if request.body is not None:
        parts.append(f"-d {shlex.quote(_json(request.body))}")
    return " \\\n  ".join(parts)


def _python(request: SampleRequest) -> str:
    headers = [f"{name!r}: {value!r}" for name, value in request.headers.items() if name != "Content-Type"]
    if request.has_key:
        headers.insert(0, f'"{_KEY}": str(uuid.uuid4())')
    if request.has_token:
        headers.insert(0, f'"{_TOKEN}": f"Bearer {{token}}"')
    arguments = [_json(request.url)]
    arguments += [f"headers={{{', '.join(headers)}}}"] if headers else []
    arguments += [f"data={_literal(request.form)}"] if request.form is not None else []
    arguments += [f"json={_literal(request.body)}"] if request.body is not None else []
    imports = "import uuid\n\nimport httpx" if request.has_key else "import httpx"
    call = "".join(f"    {each},\n" for each in arguments)
    return f"{imports}\n\nresponse = httpx.{request.method.lower()}(\n{call})\nresponse.raise_for_status()"


def _javascript(request: SampleRequest) -> str:
    headers = [f"{_json(name)}: {_json(value)}" for name, value in request.headers.items()]
    if request.has_key:
        headers.insert(0, f'"{_KEY}": crypto.randomUUID()')
    if request.has_token:
        headers.insert(0, f"{_TOKEN}: `Bearer ${{token}}`")
    options = [f"method: {_json(request.method)}"]
    options += [f"headers: {{ {', '.join(headers)} }}"] if headers else []
    options += [f"body: new URLSearchParams({_json(request.form)})"] if request.form is not None else []
    options += [f"body: JSON.stringify({_json(request.body)})"] if request.body is not None else []
    shown = "".join(f"  {each},\n" for each in options)
    call = f"const response = await fetch({_json(request.url)}, {{\n{shown}}});"
    return f"{call}\nif (!response.ok) throw new Error(await response.text());"


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _literal(value: Any) -> str:
    return indent(pformat(value, width=100, sort_dicts=False), " " * 4).lstrip()
