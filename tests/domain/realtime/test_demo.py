"""The demo page: what it loads, what it forbids, and that it is not there where people work."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from litestar import Litestar

from app.domain.realtime.controllers.demo import demo_router
from app.lib.http.problems import exception_handlers
from tests.support.apps import Deployment, client_of

CLIENT = Path(__file__).parents[3] / "clients" / "typescript" / "src" / "lodestar-realtime.js"
LINK = re.compile(r'(?:src|href)="(/[^"]+)"')


@pytest.fixture
async def demo() -> AsyncIterator[httpx.AsyncClient]:
    app = Litestar([demo_router()], openapi_config=None, exception_handlers=exception_handlers())
    transport = httpx.ASGITransport(app=cast("Any", app))
    async with httpx.AsyncClient(transport=transport, base_url="http://demo.test") as client:
        yield client


async def test_the_page_loads_files_of_this_service_only(demo: httpx.AsyncClient) -> None:
    page = await demo.get("/demo/chat")

    assert page.headers["content-type"] == "text/html; charset=utf-8"
    links = LINK.findall(page.text)
    assert sorted(links) == ["/demo/chat.css", "/demo/chat.js"]
    answers = {link: await demo.get(link) for link in links}
    assert {link: answer.status_code for link, answer in answers.items()} == dict.fromkeys(links, 200)
    assert answers["/demo/chat.js"].headers["content-type"] == "text/javascript; charset=utf-8"
    assert 'from "./lodestar-realtime.js"' in answers["/demo/chat.js"].text


async def test_the_client_is_the_published_one(demo: httpx.AsyncClient) -> None:
    answer = await demo.get("/demo/lodestar-realtime.js")

    assert answer.content == CLIENT.read_bytes()
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"


async def test_the_page_forbids_inline_scripts_and_foreign_hosts(demo: httpx.AsyncClient) -> None:
    page = await demo.get("/demo/chat")

    policy = dict(part.strip().split(" ", 1) for part in page.headers["content-security-policy"].split(";"))
    assert policy.pop("img-src") == "data:"
    assert {policy[name] for name in ("script-src", "style-src", "connect-src")} == {"'self'"}
    assert {policy[name] for name in ("default-src", "frame-ancestors", "base-uri", "form-action")} == {"'none'"}
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\bstyle=|\bon\w+=", page.text)


@pytest.mark.parametrize("name", ["chat.html", "..%2fdtos.py", "%2e%2e/dtos.py", "demo.py"])
async def test_nothing_else_is_served(demo: httpx.AsyncClient, name: str) -> None:
    assert (await demo.get(f"/demo/{name}")).status_code == 404


@pytest.mark.parametrize(("environment", "status"), [("development", 200), ("test", 404)])
async def test_it_is_there_in_development_only(deployment: Deployment, environment: str, status: int) -> None:
    app = await deployment.start(ENVIRONMENT=environment)
    async with client_of(app) as client:
        assert (await client.get("/demo/chat")).status_code == status
