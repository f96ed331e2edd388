"""The requests in docs/auth.md, each sent to the app: its route is there, and its body and parameters are read."""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from litestar import Litestar

from app.lib.db.base import new_id
from tests.contract.routes import DOCUMENT
from tests.support.apps import client_of
from tests.support.people import People

PAGE = Path(__file__).parents[2] / "docs" / "auth.md"
WORDS = {"API": "/api/v1", "CODE": "492039", "KEY": "ldk_x"}
NOT_READ = {"required", "unknown_field", "invalid_type", "invalid_format", "too_short", "too_long"}


def commands() -> Iterator[list[str]]:
    """The arguments of each ``curl``, and of ``json``, which stands for it."""
    for block in re.findall(r"^```sh\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            if line.startswith(("json $", "json -", "curl ")) and "/.well-known/" not in line:
                yield shlex.split(line, comments=True)[1:]


COMMANDS = list(commands())


def filled(text: str) -> str:
    """With something in place of each variable."""
    return re.sub(r"\$([A-Z_]+)", lambda found: WORDS.get(found[1], str(new_id())), text)


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
async def test_a_request_of_the_page_can_be_sent(app: Litestar, people: People, arguments: list[str]) -> None:
    options = dict(zip(arguments, [*arguments[1:], ""], strict=True))
    path = filled(next(each for each in arguments if each.startswith("$API")))
    body = filled(options["-d"]) if "-d" in options else None
    method = options.get("-X", "GET" if body is None else "POST")
    person = await people.create(is_superuser=True)
    headers = person.headers if "-H" in options else {}
    if body is not None:
        headers = {**headers, "Content-Type": "application/json"}
        assert json.loads(body) is not None
    async with client_of(app, headers=headers) as client:
        response = await client.request(method, path, content=body)

    templates = {re.sub(r"\{\w+\}", "[^/]+", template): item for template, item in DOCUMENT["paths"].items()}
    found = [item for pattern, item in templates.items() if re.fullmatch(pattern, path.partition("?")[0])]
    assert any(method.lower() in item for item in found)
    assert response.status_code < 500
    assert response.status_code not in {400, 405, 406, 415}, response.text
    errors = response.json().get("errors", []) if response.content and response.status_code == 422 else []
    assert not NOT_READ & {each["code"] for each in errors}, response.text


def test_there_are_many() -> None:
    assert len(COMMANDS) > 40


@pytest.mark.asvs("6.3.3")
def test_what_a_sign_in_with_a_second_factor_answers_is_in_the_document() -> None:
    """Its problem has a member of its own, and one of its examples shows it."""
    components = DOCUMENT["components"]
    member = components["schemas"]["Problem"]["properties"]["mfa_token"]
    content = components["responses"]["Error403"]["content"]["application/problem+json"]

    assert (member["type"], "mfa_required" in member["description"]) == ("string", True)
    assert content["examples"]["mfa_required"]["value"]["mfa_token"]
    assert "mfa_token" not in components["schemas"]["Problem"]["required"]
    for path in ("/auth/login", "/auth/reauthenticate", "/auth/providers/{name}/login"):
        assert "403" in DOCUMENT["paths"][f"/api/v1{path}"]["post"]["responses"]
    assert "ldk_" in components["securitySchemes"]["Bearer"]["description"]
