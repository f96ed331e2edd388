"""PUBLIC_URL with a path: the service below it, behind a proxy that takes the path off and behind one that does not."""

import re
from collections.abc import AsyncIterator
from typing import Any, cast
from xml.etree import ElementTree as ET

import httpx
import pytest
import pytest_asyncio
from litestar import Litestar
from litestar.routes import HTTPRoute

from app.lib.db.url import DatabaseURL
from app.lib.http.base_path import below
from tests.domain.notifications.steps import ONE_CLICK, composed
from tests.support.apps import Deployment, client_of, fresh, running_app
from tests.support.databases import on_one_database
from tests.support.links import newest
from tests.support.people import PASSWORD, People
from tests.support.sockets import Refused, connected

PATH = "/team/lodestar-2"
ORIGIN = "http://localhost"
LINK = re.compile(r'(?:href|src|action|data-openapi)="([^"]*)"')
MARKDOWN_LINK = re.compile(r"\]\(([^)]*)\)")
MODULE = re.compile(r"""from "(\./[^"]+)";""")
HERE = "127.0.0.1"


class Proxy:
    """What is in front of the app: it knows the app below a path alone, and passes on what is below it."""

    def __init__(self, app: Litestar, path: str, *, strips: bool) -> None:
        self._app: Any = app
        self._path, self._strips = path, strips

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        assert scope["path"].startswith(f"{self._path}/") or scope["path"] == self._path, scope["path"]
        if self._strips:
            scope["path"] = scope["path"].removeprefix(self._path) or "/"
            scope["raw_path"] = scope["path"].encode()
        await self._app(scope, receive, send)


@pytest.fixture(params=["stripped", "passed on"])
def strips(request: pytest.FixtureRequest) -> bool:
    return bool(request.param == "stripped")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def standing(database_url: DatabaseURL) -> AsyncIterator[Litestar]:
    """One app for all tests of a database."""
    settings = {"PUBLIC_URL": f"{ORIGIN}{PATH}/", "ENVIRONMENT": "development", "RATE_LIMIT_ENABLED": "false"}
    async with running_app(database_url, **settings) as app:
        yield app


@pytest_asyncio.fixture
async def service(standing: Litestar) -> AsyncIterator[Litestar]:
    async with fresh(standing):
        yield standing


@pytest.fixture
def proxy(service: Litestar, strips: bool) -> Any:
    return Proxy(service, PATH, strips=strips)


@pytest_asyncio.fixture
async def outside(proxy: Any) -> AsyncIterator[httpx.AsyncClient]:
    """The proxy fails when it asks for anything that is not below the path."""
    async with client_of(proxy, address=HERE, base_url=ORIGIN) as client:
        yield client


@pytest_asyncio.fixture
async def author(service: Litestar, proxy: Any) -> AsyncIterator[httpx.AsyncClient]:
    person = await People(service).create()
    async with client_of(proxy, headers=person.headers, base_url=ORIGIN) as client:
        yield client


async def crawl(client: httpx.AsyncClient, start: str) -> set[str]:
    """Everything that a page leads to on this service, and that leads to in turn."""
    seen: set[str] = set()
    left = [httpx.URL(ORIGIN).join(start)]
    while left:
        url = left.pop()
        if str(url) in seen or not str(url).startswith(ORIGIN):
            continue
        seen.add(str(url))
        answer = await client.get(url, headers={"Accept": "text/html, */*;q=0.8"})
        assert answer.status_code == 200, url
        kind = answer.headers["content-type"]
        if kind.startswith("text/html"):
            left += [url.join(link) for link in LINK.findall(answer.text)]
        elif kind.startswith("text/javascript"):
            left += [url.join(link) for link in MODULE.findall(answer.text[:2_000])]
        elif url.path.endswith("openapi.json"):
            left += [url.join(link) for link in MARKDOWN_LINK.findall(answer.text)]
    return {url.removeprefix(ORIGIN + PATH) for url in seen}


@pytest.mark.parametrize(
    ("page", "leads_to"),
    [
        ("/docs", {"/docs/openapi.json", "/docs/asyncapi.json"}),
        ("/", {"/docs", "/docs/swagger", "/health", "/problems/not-found", "/dev/mail", "/demo/chat"}),
        ("", {"/docs", "/health", "/dev/mail"}),
        ("/docs/swagger", {"/docs/openapi.json"}),
        ("/problems", {"/problems/not-found", "/problems/validation-failed"}),
        ("/demo/chat", {"/demo/chat.css", "/demo/chat.js", "/demo/lodestar-realtime.js"}),
    ],
)
async def test_pages_lead_to_what_is_below_the_path(outside: httpx.AsyncClient, page: str, leads_to: set[str]) -> None:
    found = await crawl(outside, PATH + page)

    assert found >= leads_to
    assert len(found) > len(leads_to)


async def test_the_openapi_document_calls_itself_below_the_path(outside: httpx.AsyncClient) -> None:
    document = (await outside.get(f"{PATH}/docs/openapi.json")).json()
    (server,) = document["servers"]
    flow = document["components"]["securitySchemes"]["OAuth2Password"]["flows"]["password"]

    assert server["url"] == PATH
    sample = document["paths"]["/api/v1/users/me"]["get"]["x-codeSamples"][0]["source"]
    assert f"{ORIGIN}{PATH}/api/v1/users/me" in sample
    assert f"API={ORIGIN}{PATH}/api/v1\n" in document["info"]["description"]
    for path, operations in document["paths"].items():
        if (
            "get" in operations and "{" not in path and not path.endswith(("/realtime/events", "/profiles"))
        ):  # they need a query
            assert (await outside.get(server["url"] + path)).status_code in {200, 401}, path
    for url in (flow["tokenUrl"], flow["refreshUrl"]):
        assert (await outside.post(url, data={})).status_code == 422
    example = document["components"]["responses"]["Error404"]["content"]["application/problem+json"]["examples"]
    assert (await outside.get(example["not_found"]["value"]["type"])).status_code == 200
    assert example["not_found"]["value"]["instance"].startswith(f"{PATH}/api/")


@pytest.mark.parametrize("path", ["/api/v1/nowhere", "/nowhere", "/docs/nothing", "/api/v1/users/me"])
async def test_a_problem_names_what_was_asked_and_a_page_about_it(outside: httpx.AsyncClient, path: str) -> None:
    problem = (await outside.get(PATH + path, headers={"Accept": "application/json"})).json()
    page = await outside.get(problem["type"])

    assert problem["instance"].rstrip("/") == (PATH + path).rstrip("/")
    assert page.status_code == 200
    assert problem["code"] in page.text


async def test_locations_and_links_are_below_the_path(author: httpx.AsyncClient) -> None:
    posts = f"{PATH}/api/v1/posts"
    body = {"title": "A day at sea", "content": "Wind.", "slug": "sea", "is_published": True}
    made = await author.post(posts, json=body, headers={"Idempotency-Key": "once"})
    again = await author.post(posts, json=body, headers={"Idempotency-Key": "once"})
    assert made.headers["location"] == again.headers["location"] == f"{posts}/{made.json()['id']}"
    assert again.headers["idempotency-replayed"] == "true"
    assert (await author.get(made.headers["location"])).json()["id"] == made.json()["id"]

    await author.post(posts, json={**body, "slug": "harbour"})
    first = await author.get(f"{posts}?page_size=1")
    second = await author.get(first.links["next"]["url"])
    assert first.links["next"]["url"].startswith(f"{posts}?")
    assert (await author.get(second.links["prev"]["url"])).json()["items"] == first.json()["items"]
    assert {first.json()["items"][0]["slug"], second.json()["items"][0]["slug"]} == {"sea", "harbour"}

    await author.patch(made.headers["location"], json={"slug": "ocean"})
    moved = await author.get(f"{posts}/sea")
    assert (moved.status_code, moved.headers["location"]) == (301, f"{posts}/ocean")
    assert (await author.get(moved.headers["location"])).status_code == 200


async def test_mails_and_the_mailbox_lead_below_the_path(service: Litestar, outside: httpx.AsyncClient) -> None:
    answer = await outside.post(f"{PATH}/api/v1/auth/register", json={"email": "ada@example.com", "password": PASSWORD})
    assert (await outside.get(answer.headers["location"])).status_code == 401
    link = (await newest(service, "verify_email")).url
    assert link.startswith(f"{ORIGIN}{PATH}/account/")
    assert (await outside.post(link, data={"password": PASSWORD})).status_code == 200
    (mail,) = await composed(service, "welcome")
    assert mail.unsubscribe_url is not None
    assert mail.unsubscribe_url.startswith(f"{ORIGIN}{PATH}/api/v1/")
    assert f"{ORIGIN}{PATH}" in mail.text
    assert f"{ORIGIN}{PATH}/api/v1/" in str(mail.message()["List-Unsubscribe"])

    page = await outside.get(mail.unsubscribe_url)
    assert LINK.findall(page.text) == []  # the form is sent to the page's own address
    assert (await outside.post(mail.unsubscribe_url, data=ONE_CLICK)).status_code == 200

    box = await outside.get(f"{PATH}/dev/mail")
    link, _ = LINK.findall(box.text)
    opened = await outside.get(link)
    assert (await outside.get(LINK.findall(opened.text)[0])).text == box.text


async def test_the_feed_leads_below_the_path(author: httpx.AsyncClient) -> None:
    await author.post(f"{PATH}/api/v1/posts", json={"title": "Log", "content": "Wind.", "is_published": True})
    feed = await author.get(f"{PATH}/api/v1/feed.atom")
    links = [str(each.get("href")) for each in ET.fromstring(feed.text).iter("{http://www.w3.org/2005/Atom}link")]  # noqa: S314 - our own feed

    assert len(links) == 2
    for link in links:
        assert link.startswith(f"{ORIGIN}{PATH}/api/v1/")
        assert (await author.get(link)).status_code == 200


async def test_sockets_open_where_the_document_says(author: httpx.AsyncClient, proxy: Any) -> None:
    document = (await author.get(f"{PATH}/docs/asyncapi.json")).json()
    server, channel = document["servers"]["sockets"], document["channels"]["socket"]
    ticket = await author.post(f"{PATH}/api/v1/realtime/tickets")
    address = server["pathname"] + channel["address"]

    assert (server["protocol"], server["host"], server["pathname"]) == ("ws", "localhost", PATH)
    assert ticket.headers["location"] == address
    async with connected(proxy, address, ticket=ticket.json()["ticket"], origin=ORIGIN, host="localhost") as socket:
        assert (await socket.subscribe("posts"))["type"] == "subscribed"
    with pytest.raises(Refused) as refused:
        async with connected(proxy, address):
            pass
    assert refused.value.problem["instance"] == address
    assert (await author.get(refused.value.problem["type"])).status_code == 200


async def test_probes_on_the_machine_need_no_path(service: Litestar) -> None:
    async with client_of(service) as client:
        assert (await client.get("/health/ready")).status_code == 200
        assert (await client.get(f"{PATH}/health/ready")).status_code == 200
        assert (await client.get(f"{PATH}x/health/ready")).status_code == 404
        assert (await client.get(f"{PATH}{PATH}/health/ready")).status_code == 404


@on_one_database
@pytest.mark.parametrize("path", ["/api", "/api/v1", "/docs", "/health", "/problems", "/api/v1/posts"])
async def test_the_path_may_begin_like_the_own_ones(deployment: Deployment, path: str) -> None:
    app = await deployment.start(PUBLIC_URL=f"{ORIGIN}{path}", RATE_LIMIT_ENABLED="false")
    stripping, passing = Proxy(app, path, strips=True), Proxy(app, path, strips=False)
    async with client_of(cast("Litestar", stripping)) as outside, client_of(cast("Litestar", passing)) as other:
        for route in app.routes:
            if isinstance(route, HTTPRoute) and "{" not in route.path and "GET" in route.methods:
                answer = await outside.get(path + route.path)
                assert answer.status_code != 404, route.path
                assert (await other.get(path + route.path)).status_code == answer.status_code, route.path
        problem = (await outside.get(f"{path}/problems/not-found-either")).json()
    assert problem["type"] == f"{path}/problems/not-found"


def test_without_a_path_nothing_is_in_the_way() -> None:
    async def app(_scope: Any, _receive: Any, _send: Any) -> None: ...

    assert below("", app, []) is app
