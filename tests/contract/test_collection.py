"""``docs/api.http``: what it sends is what the service takes."""

import re
import time
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import httpx
from litestar import Litestar

from app.cli.seed import create_demo_data
from tests.support.apps import client_of, core_of, described

TEXT = (Path(__file__).parents[2] / "docs/api.http").read_text()
VARIABLE = re.compile(r"\{\{([^{}]+)\}\}")
ANSWERS_WITHOUT_END = {"streamEvents"}


class Request(NamedTuple):
    name: str
    method: str
    url: str
    headers: dict[str, str]
    body: str
    needs: str


def requests() -> list[Request]:
    """As an editor reads the file."""
    found = []
    for part in TEXT.split("\n### ")[1:]:
        head, _, body = part.partition("\n\n")
        _, *lines = head.splitlines()
        if lines:
            needs = lines.pop(1).removeprefix("# Needs ") if lines[1].startswith("# ") else ""
            method, url = lines[1].split()
            headers = dict(line.split(": ", 1) for line in lines[2:])
            found.append(Request(lines[0].removeprefix("# @name "), method, url, headers, body.strip(), needs))
    return found


class Editor:
    """Fills in variables, and keeps the answers that they refer to."""

    def __init__(self) -> None:
        self.variables = dict(re.findall(r"^@(\w+) = (.*)$", TEXT, re.MULTILINE))
        self.answers: dict[str, Any] = {}
        self.timestamp = int(time.time())

    def fill(self, text: str) -> str:
        return VARIABLE.sub(lambda match: self._value(match[1]), text)

    def _value(self, name: str) -> str:
        if name.startswith("$"):  # $guid, and $timestamp in seconds
            return str(self.timestamp) if name == "$timestamp" else str(uuid4())
        if name in self.variables:
            return self.fill(self.variables[name])
        request, _, path = name.partition(".response.body.")
        found = self.answers[request]
        for part in re.findall(r"\w+", path):
            found = (found[int(part)] if isinstance(found, list) else found.get(part)) if found else None
        return str(found or "0193a3c4-0000-7000-8000-000000000000")

    async def send(self, client: httpx.AsyncClient, request: Request) -> httpx.Response:
        headers = {name: self.fill(value) for name, value in request.headers.items()}
        body = self.fill(request.body).encode() or None
        answer = await client.request(request.method, self.fill(request.url), headers=headers, content=body)
        is_json = answer.headers.get("content-type", "").startswith("application/json")
        self.answers[request.name] = answer.json() if is_json and isinstance(answer.json(), dict) else {}
        return answer


def test_it_has_every_operation_once(app: Litestar) -> None:
    wanted = {each["operationId"] for item in described(app)["paths"].values() for each in item.values()}
    names = [request.name for request in requests()]
    assert wanted <= set(names), "docs/api.http is stale: run `just openapi`"
    assert len(names) == len(set(names))
    assert names[0] == "login"


async def test_requests_succeed_from_the_top_to_the_bottom(app: Litestar) -> None:
    """Each but those that say what they need: these do not, or the note is stale."""
    await create_demo_data(core_of(app))
    editor = Editor()
    answers: dict[str, httpx.Response] = {}
    async with client_of(app) as client:
        for request in requests():
            if request.name not in ANSWERS_WITHOUT_END:
                answers[request.name] = await editor.send(client, request)

    needs = {request.name: request.needs for request in requests() if request.needs}
    failed = {name: f"{each.status_code} {each.text}" for name, each in answers.items() if not each.is_success}
    assert {name: text for name, text in failed.items() if name not in needs} == {}, "say in the domain's steps.py why"
    assert needs.keys() - failed.keys() == ANSWERS_WITHOUT_END, "these do not need what they say: mend steps.py"
    assert {name: each.text for name, each in answers.items() if is_malformed(each)} == {}


def is_malformed(answer: httpx.Response) -> bool:
    """Whether it was refused for its form, and not for what there is in the database."""
    if answer.status_code != 422:
        return answer.status_code >= 500 or answer.status_code in {400, 405, 406, 415, 428}
    codes = {each["code"] for each in answer.json()["errors"]}
    return not codes <= {"not_found", "invalid_choice", "not_unique"}
