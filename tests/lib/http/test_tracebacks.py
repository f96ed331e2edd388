"""Traces in the answers of a development server: for whom, and what they never hold."""

import json
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from litestar import get
from litestar.exceptions import HTTPException
from sqlalchemy import text

from app.asgi import app_of
from app.core import Core
from app.lib.db.url import DatabaseURL
from app.lib.observability.logging import configure_logging
from app.lib.security.policies import public
from tests.support.apps import client_of, core_of, make_core, running
from tests.support.strangers import LOCAL, STRANGERS

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
ASKED = {"X-Debug-Trace": "1"}
SECRETS = {
    "SECRET_KEY": "a-key-that-no-answer-shows-0123456789",
    "REDIS_URL": "redis://:redis-hunter%212@127.0.0.1:1/0",
    "SMTP_USER": "post",
    "SMTP_PASSWORD": "smtp-hunter2",
    "OIDC_PROVIDERS": '[{"name": "github", "kind": "github", "client_id": "us", "client_secret": "oidc-hunter2"}]',
}


@get("/bug", guards=[public])
async def bug() -> None:
    raise ZeroDivisionError("<script><b></script>")


@get("/chain", guards=[public])
async def chain() -> None:
    try:
        raise KeyError("the cause")
    except KeyError as exc:
        raise HTTPException("the effect", status_code=500) from exc


def _forms(secret: str) -> list[str]:
    header = b64encode(f"user:{secret}".encode()).decode()
    return [secret, quote(secret, safe=""), repr(secret.encode()), b64encode(secret.encode()).decode(), header]


@asynccontextmanager
async def broken(url: DatabaseURL, **overrides: str) -> AsyncIterator[tuple[Core, Any]]:
    """An app with routes that fail, and a function that calls it as from an address."""
    core = make_core(url, **{"ENVIRONMENT": "development", **overrides})

    @get("/database", guards=[public])
    async def database() -> None:
        async with core.database.engine.connect() as connection:
            await connection.execute(text("SELECT * FROM no_such_table WHERE x = 'a@example.com'"))

    @get("/leak", guards=[public])
    async def leak() -> None:
        raise RuntimeError(
            f"{SECRETS} redis-hunter!2 {core.settings.signing_secret} {url.url.password} {core.settings}"
            f"{_forms(SECRETS['SECRET_KEY'])} {_forms('redis-hunter!2')} {json.dumps(json.dumps(SECRETS))}"
        )

    app = app_of(core, [bug, chain, database, leak])
    async with running(app), AsyncExitStack() as stack:

        async def call(
            path: str, headers: dict[str, str], peer: str = "127.0.0.1", base: str = LOCAL
        ) -> httpx.Response:
            client = await stack.enter_async_context(client_of(app, address=peer))
            return await client.get(base + path, headers=headers)

        yield core_of(app), call


async def test_a_developer_at_this_machine_sees_what_went_wrong(database_url: DatabaseURL) -> None:
    async with broken(database_url) as (_, call):
        page = await call("/bug", HTML)
        problem = await call("/bug", ASKED, base="http://[::1]:8000", peer="::1")
        cause = await call("/chain", ASKED)
        statement = await call("/database", ASKED)
        plain = await call("/bug", {})

    assert (page.status_code, page.headers["content-type"]) == (500, "text/html; charset=utf-8")
    assert "async def bug" not in page.text
    assert "in bug" in page.text
    assert "ZeroDivisionError: &lt;script&gt;&lt;b&gt;" in page.text
    assert "<script>" not in page.text
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["cross-origin-resource-policy"] == "same-origin"
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert page.headers["x-request-id"] in page.text
    body = problem.json()
    assert (problem.headers["content-type"], body["code"]) == ("application/problem+json", "internal_error")
    assert body["trace"][-1].startswith("ZeroDivisionError")
    assert "KeyError: 'the cause'" in cause.json()["trace"]
    assert "no_such_table" in statement.text
    assert "trace" not in plain.json()


async def test_no_one_else_sees_it(database_url: DatabaseURL) -> None:
    async with broken(database_url, TRUSTED_PROXIES="203.0.113.7") as (_, call):
        for headers, peer, base in STRANGERS:
            for asked in (HTML, ASKED):
                answer = await call("/bug", {**headers, **asked}, peer, base)
                assert "ZeroDivision" not in answer.text, headers
        for accept in ("*/*", "application/json", "text/html;q=0,*/*"):
            assert "ZeroDivision" not in (await call("/bug", {"Accept": accept})).text
        own = await call("/bug", {**ASKED, "Origin": LOCAL, "Sec-Fetch-Site": "same-origin"})
        assert "ZeroDivision" in own.text


@pytest.mark.asvs("16.5.1")
async def test_only_development_has_it(database_url: DatabaseURL) -> None:
    production = {
        "ENVIRONMENT": "production",
        "PUBLIC_URL": "https://api.example.com",
        "SECRET_KEY": "pT4vQ8xW2zR6nM0kB5jH9gF3dS7aL1cY",
    }
    for environ in (production, {"ENVIRONMENT": "test", "DEBUG": "true"}):
        async with broken(database_url, **environ) as (_, call):
            for asked in (HTML, ASKED):
                assert "ZeroDivision" not in (await call("/bug", asked)).text


async def test_no_secret_of_the_settings_is_in_it(
    database_url: DatabaseURL, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    """However it is written, in the answer and in the log."""
    configure_logging("info", "json")
    async with broken(database_url, **SECRETS) as (core, call):
        answers = [await call("/leak", asked) for asked in (HTML, ASKED)]

    shown = [*(answer.text for answer in answers), capsysbinary.readouterr().out.decode()]
    for text_ in shown:
        assert "RuntimeError" in text_
        assert "hunter" not in text_
        assert core.settings.signing_secret not in text_
        assert [form for form in _forms(SECRETS["SECRET_KEY"]) if form in text_] == []
        assert [form for form in _forms("redis-hunter!2") if form in text_] == []
    assert json.loads(answers[1].text)["trace"]
