"""``docs/api.http``: what it sends is what the service takes."""

import re
from pathlib import Path
from typing import Any, NamedTuple

import httpx
from litestar import Litestar

from tests.support.apps import client_of, described
from tests.support.people import PASSWORD, People

TEXT = (Path(__file__).parents[2] / "docs/api.http").read_text()
VARIABLE = re.compile(r"\{\{([^{}]+)\}\}")
ANSWERS_WITHOUT_END = {"streamEvents"}


class Request(NamedTuple):
    name: str
    method: str
    url: str
    headers: dict[str, str]
    body: str


def requests() -> list[Request]:
    """As an editor reads the file."""
    found = []
    for part in TEXT.split("\n### ")[1:]:
        head, _, body = part.partition("\n\n")
        _, *lines = head.splitlines()
        if lines:
            method, url = lines[1].split()
            headers = dict(line.split(": ", 1) for line in lines[2:])
            found.append(Request(lines[0].removeprefix("# @name "), method, url, headers, body.strip()))
    return found


class Editor:
    """Fills in variables, and keeps the answers that they refer to."""

    def __init__(self) -> None:
        self.variables = dict(re.findall(r"^@(\w+) = (.*)$", TEXT, re.MULTILINE))
        self.answers: dict[str, Any] = {}

    def fill(self, text: str) -> str:
        return VARIABLE.sub(lambda match: self._value(match[1]), text)

    def _value(self, name: str) -> str:
        if name.startswith("$"):  # $guid, $timestamp
            return str(1_780_000_000 + len(self.answers))
        if name in self.variables:
            return self.fill(self.variables[name])
        request, _, path = name.partition(".response.body.")
        return str(self.answers[request].get(path, "0193a3c4-0000-7000-8000-000000000000"))

    async def send(self, client: httpx.AsyncClient, request: Request) -> httpx.Response:
        headers = {name: self.fill(value) for name, value in request.headers.items()}
        body = self.fill(request.body).encode() or None
        answer = await client.request(request.method, self.fill(request.url), headers=headers, content=body)
        is_json = answer.headers.get("content-type", "").startswith("application/json")
        self.answers[request.name] = answer.json() if is_json and isinstance(answer.json(), dict) else {}
        return answer


def test_it_has_every_operation_once(app: Litestar) -> None:
    wanted = [each["operationId"] for item in described(app)["paths"].values() for each in item.values()]
    assert sorted(request.name for request in requests()) == sorted(wanted), (
        "docs/api.http is stale: run `just openapi`"
    )
    assert requests()[0].name == "login"


async def test_the_service_takes_the_requests(app: Litestar, people: People) -> None:
    editor = Editor()
    await people.create(email=editor.variables["email"], is_superuser=True)
    editor.variables["password"] = PASSWORD
    answers: dict[str, httpx.Response] = {}
    async with client_of(app) as client:
        for request in requests():
            if request.name not in ANSWERS_WITHOUT_END:
                answers[request.name] = await editor.send(client, request)

    malformed = {name: each.text for name, each in answers.items() if is_malformed(each)}
    assert malformed == {}
    # The others lack a passkey, a mailed code, a provider.
    assert sum(each.is_success for each in answers.values()) >= 0.55 * len(answers)


def is_malformed(answer: httpx.Response) -> bool:
    """Whether it was refused for its form, and not for what there is in the database."""
    if answer.status_code != 422:
        return answer.status_code >= 500 or answer.status_code in {400, 405, 406, 415, 428}
    codes = {each["code"] for each in answer.json()["errors"]}
    return not codes <= {"not_found", "invalid_choice", "not_unique"}
