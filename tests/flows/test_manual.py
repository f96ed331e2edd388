"""``docs/api.md``: every sample of the manual is run, one after the other, and answers as it says."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
from litestar import Litestar

from app.domain.system.document import MANUAL
from app.lib.clock import utc_now
from app.lib.openapi.document import EXAMPLE_ORIGIN, DocumentInfo
from app.lib.webhooks.signing import new_secret, show_secret, signed_headers
from tests.support.apps import client_of, core_of
from tests.support.document_shell import DocumentShell
from tests.support.people import People

BLOCK = re.compile(r"^```(sh|json|http)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def check(shown: Any, answered: Any, where: str = "") -> None:
    """What is shown is in the answer; ``…`` stands for any rest of a text."""
    match shown:
        case dict():
            for name, value in shown.items():
                assert name in answered, f"{where}/{name}"
                check(value, answered[name], f"{where}/{name}")
        case list():
            assert len(shown) == len(answered), where
            for number, value in enumerate(shown):
                check(value, answered[number], f"{where}/{number}")
        case str():
            assert re.fullmatch(re.escape(shown).replace("…", ".*"), answered), where
        case _:
            assert shown == answered, where


async def test_the_samples_do_what_they_say(app: Litestar, people: People) -> None:
    seller = await people.create(permissions=["products:write"])
    product = {"sku": "mug", "name": "Mug", "price": {"amount": "19.90", "currency": "EUR"}, "stock": 5}
    async with people.client(seller) as sells:
        made = await sells.post("/api/v1/products", json=product)
    assert made.status_code == 201
    async with client_of(app) as client:
        shell = DocumentShell(client, refusals={412, 422})
        for kind, text in BLOCK.findall(MANUAL):
            if kind == "sh":
                await shell.run(text)
                continue
            answer = shell.answers[-1]
            if kind == "json":
                check(msgspec.json.decode(text), answer.json())
                continue
            status, *headers = text.strip().splitlines()
            assert status.split()[1] == str(answer.status_code), text
            for name, _, value in (header.partition(": ") for header in headers):
                check(value, answer.headers[name], name)

    assert len(shell.answers) > 15
    failed = [answer for answer in shell.answers if answer.is_error]
    assert {answer.status_code for answer in failed} == {412, 422}


def test_the_check_of_webhooks_takes_what_is_signed_now_and_nothing_else() -> None:
    names: dict[str, Any] = {}
    exec("".join(re.findall(r"^```python\n(.*?)^```$", MANUAL, re.MULTILINE | re.DOTALL)), names)  # noqa: S102 - the sample itself
    is_genuine, key, former, body = names["is_genuine"], new_secret(), new_secret(), b'{"type":"post.published"}'
    headers = signed_headers([key, former], "0193a3c4", utc_now(), body)

    assert is_genuine(headers, body, show_secret(key))
    assert is_genuine(headers, body, show_secret(former))
    assert not is_genuine(headers, body + b" ", show_secret(key))
    assert not is_genuine(headers, body, show_secret(new_secret()))
    assert not is_genuine(
        signed_headers([key], "0193a3c4", utc_now() - timedelta(minutes=6), body), body, show_secret(key)
    )


async def test_the_document_opens_with_the_manual(app: Litestar) -> None:
    description = core_of(app).services.get(DocumentInfo).description
    async with client_of(app) as client:
        served = (await client.get("/docs/openapi.json")).json()["info"]["description"]

    assert served == description.replace(EXAMPLE_ORIGIN, core_of(app).settings.address.origin)
    assert served.startswith(MANUAL.partition("\n\n")[2][:200])
    assert "](/docs/asyncapi.json)" in served
    assert "decisions/" not in served


def test_the_manual_is_one_text() -> None:
    assert Path("docs/api.md").read_text(encoding="utf-8") == MANUAL
