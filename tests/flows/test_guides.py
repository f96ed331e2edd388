"""The commands of the guides are run, section by section, on both databases.

A block for a shell that needs what is not here has the reason in a comment before it: ``<!-- not run: why -->``. That
its commands and options exist is checked by tests/architecture/test_docs_commands.py, as in all documents.
"""

import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pyotp
import pytest
from litestar import Litestar

from app.lib.clock import utc_now
from tests.support.apps import BASE_URL, client_of, core_of
from tests.support.document_shell import DocumentShell
from tests.support.factors import factor_of
from tests.support.links import received
from tests.support.people import HASHER, People, Person
from tools.site import pages

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"(<!-- not run: .+? -->\n)?^```(?:sh|bash)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CALL = re.compile(r"^(?!\w+=|\w+\(\)|#).", re.MULTILINE)
"""A line that does something: no variable, function or comment."""

PASSWORD = "correct horse battery"
OWN_TESTS = {"docs/api.md", "CHANGELOG.md"}


def sections() -> dict[str, list[str]]:
    """The blocks to run of each section, after those of its page that stand before the first one."""
    found: dict[str, list[str]] = {}
    for page in pages():
        name = str(page.relative_to(ROOT))
        first, *others = re.split(r"^## ", page.read_text(), flags=re.MULTILINE)
        before = [block for mark, block in BLOCK.findall(first) if not mark]
        if name in OWN_TESTS:
            continue
        if any(map(CALL.search, before)):
            found[f"{name}: its beginning"] = before
        for section in others:
            blocks = [block for mark, block in BLOCK.findall(section) if not mark]
            if blocks:
                found[f"{name}: {section.partition(chr(10))[0]}"] = before + blocks
    return found


SECTIONS = sections()


class Reader:
    """Who reads the guide: Ada, who has all rights, gets her mail, and knows others and their ids."""

    def __init__(self, app: Litestar, people: People, client: httpx.AsyncClient) -> None:
        self.app, self.people, self.client = app, people, client
        self.ada: Person | None = None
        self._code = count(-1)
        self._knows: dict[str, Callable[[Any], Awaitable[object]]] = {
            "ACCESS": self._access_token,
            "ADMIN": self._admin_token,
            "METRICS_TOKEN": self._admin_token,
            "token": self._access_token,
            "TOKEN": lambda _answer: self._mailed(r"\?token=(\w+)"),
            "UNDO": lambda _answer: self._mailed(r"/revert-email\?token=(\w+)"),
            "SESSION": self._other_session,
            "USER_ID": self._other_user,
            "ROLE_ID": lambda _answer: self.people.role("staff"),
            "ACCOUNT": self._service_account,
            "ROOM": self._room,
            "room": self._room,
            "CURSOR": self._cursor,
        }

    async def begin(self) -> None:
        """Ada has registered before."""
        password = HASHER.hash(PASSWORD)
        self.ada = await self.people.create(
            email="ada@example.com", is_verified=True, is_superuser=True, password_hash=password
        )

    async def ask(self, shell: DocumentShell, name: str) -> str:
        """The value of a variable that the guide does not set."""
        answer = shell.answers[-1].json() if shell.answers and shell.answers[-1].content else {}
        if name == "CODE":  # good once, so it is not kept
            return await self._code_now(shell.variables.get("SECRET"))
        if name in self._knows:
            value = str(await self._knows[name](shell.answers[-1] if shell.answers else None))
        else:
            defaults = {"API": f"{BASE_URL}/api/v1", "api": f"{BASE_URL}/api/v1", "NEXT": "1"}
            value = defaults.get(name) or str(answer["items"][0]["id"] if name == "KEY_ID" else answer[name.lower()])
        return shell.variables.setdefault(name, value)

    async def _access_token(self, _answer: Any) -> str:
        if self.ada is not None:
            return self.ada.access_token
        form = {"username": "ada@example.com", "password": PASSWORD}
        return str((await self.client.post("/api/v1/auth/login", data=form)).json()["access_token"])

    async def _admin_token(self, _answer: Any) -> str:
        return (await self.people.create(is_superuser=True)).access_token

    async def _code_now(self, secret: str | None) -> str:
        """The app's, first an earlier one, because each is good once; without an app that of the mail."""
        if secret is None:
            return await self._mailed(r"^(\d{6})$")
        return pyotp.TOTP(secret).at(utc_now() + timedelta(seconds=30 * next(self._code)))

    async def _mailed(self, pattern: str) -> str:
        texts = "\n".join(mail.text for mail in await received(self.app))
        return str(re.findall(pattern, texts, re.MULTILINE)[-1])

    async def _other_session(self, _answer: Any) -> UUID:
        assert self.ada
        return (await self.people.sign_in(self.ada.id, self.ada.email)).session_id

    async def _other_user(self, _answer: Any) -> UUID:
        other = await self.people.create()
        await factor_of(other.id, core_of(self.app))
        return other.id

    async def _service_account(self, answer: httpx.Response) -> str:
        await self.people.role("stock", ["products:write"])
        return str(answer.json()["id"])

    async def _room(self, _answer: Any) -> str:
        return str((await self._post("/api/v1/rooms", {"name": "harbour"}))["id"])

    async def _cursor(self, answer: httpx.Response) -> str:
        """Of the first page of the last list, to which there is something to show now."""
        assert self.ada
        for number in "123":
            price = {"amount": "1.90", "currency": "EUR"}
            made = await self._post("/api/v1/products", {"sku": number, "name": number, "price": price, "stock": 1})
        headers = {**self.ada.headers, "If-Match": '"1"'}
        await self.client.delete(f"/api/v1/products/{made['id']}", headers=headers)
        url = answer.request.url
        if "page_size" in url.params:
            url = url.copy_set_param("page_size", "1")
        return str((await self.client.get(url, headers=self.ada.headers)).json()["next_cursor"])

    async def _post(self, path: str, body: dict[str, Any]) -> Any:
        assert self.ada
        return (await self.client.post(path, json=body, headers=self.ada.headers)).json()


@pytest.mark.parametrize("section", SECTIONS)
async def test_its_commands_do_what_it_says(app: Litestar, people: People, section: str) -> None:
    await people.create(email="root@example.com", is_superuser=True)
    settings = core_of(app).settings
    url = settings.database.url.render_as_string(hide_password=False)
    async with client_of(app) as client:
        reader = Reader(app, people, client)
        if not any("auth/register" in block for block in SECTIONS[section]):
            await reader.begin()
        environ = {"DATABASE_URL": url, "SECRET_KEY": settings.signing_secret}
        shell = DocumentShell(client, reader.ask, environ if settings.database.is_sqlite else None)
        for block in SECTIONS[section]:
            await shell.run(block)

    assert shell.answers or "app " in "".join(SECTIONS[section])
