"""``GET /``: the same links for browsers and for programs, to what the app really has."""

import re

import httpx
import pytest

from app.asgi import DOMAINS, create_app
from app.lib.db.url import DatabaseURL
from tests.support.apps import client_of, running_app, settings_for
from tests.support.strangers import LOCAL

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8"
ALWAYS = {"/health", "/problems"}
DOCUMENTED = {"/docs", "/docs/swagger", "/docs/openapi.json", "/docs/asyncapi.json"}
DEVELOPMENT = {"/dev/mail", "/demo/chat"}


async def links(client: httpx.AsyncClient) -> set[str]:
    """Of the JSON, which are those of the page; each leads somewhere."""
    home = (await client.get("/")).json()
    page = await client.get("/", headers={"Accept": BROWSER})
    assert re.findall(r'<a href="([^"]+)">([^<]+)</a>', page.text) == [
        (each["href"], each["title"]) for each in home["links"]
    ]
    hrefs = {each["href"] for each in home["links"]}
    assert {(await client.get(href)).status_code for href in hrefs} == {200}
    return hrefs


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, ALWAYS | DOCUMENTED),
        ({"DOCS": "off", "PRODUCT_NAME": "A & B <Shop>"}, ALWAYS),
        ({"ENVIRONMENT": "development"}, ALWAYS | DOCUMENTED | DEVELOPMENT),
    ],
)
async def test_the_links_are_what_the_app_has(
    database_url: DatabaseURL, settings: dict[str, str], expected: set[str]
) -> None:
    async with (
        running_app(database_url, **settings) as app,
        client_of(app, address="127.0.0.1", base_url=LOCAL) as client,
    ):
        assert await links(client) == expected
        page = await client.get("/", headers={"Accept": BROWSER})
        name = (await client.get("/")).json()["name"]

    assert name == settings.get("PRODUCT_NAME", "Lodestar")
    assert name.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;") in page.text


async def test_a_visitor_from_the_network_is_not_shown_the_mailbox_of_a_development_server(
    database_url: DatabaseURL,
) -> None:
    """It answers to this machine alone, by its own name."""
    async with running_app(database_url, ENVIRONMENT="development") as app:
        for address, host in (("203.0.113.7", "localhost"), ("127.0.0.1", "rebound.example")):
            async with client_of(app, address=address) as client:
                client.headers["Host"] = host
                assert await links(client) == ALWAYS | DOCUMENTED | {"/demo/chat"}


async def test_a_domain_that_is_gone_takes_its_links_along(database_url: DatabaseURL) -> None:
    domains = tuple(each for each in DOMAINS if each.name != "realtime")
    app = create_app(settings_for(database_url, ENVIRONMENT="development"), domains)
    async with client_of(app) as client:
        home = (await client.get("/")).json()

    hrefs = {each["href"] for each in home["links"]}
    assert hrefs == ALWAYS | DOCUMENTED - {"/docs/asyncapi.json"}


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (None, "application/json"),
        ("*/*", "application/json"),
        ("application/json", "application/json"),
        ("application/*, text/html;q=0.9", "application/json"),
        (BROWSER, "text/html"),
        ("text/*", "text/html"),
        ("TEXT/HTML;q=0.2, application/json;q=0.1", "text/html"),
        ("image/png", "application/problem+json"),
        ("text/html;q=0, application/json;q=0", "application/problem+json"),
        ("text/html;q=nonsense;;, \x7f" + ",a/b" * 3_000, "text/html"),
    ],
)
async def test_who_asks_for_what_gets_it(client: httpx.AsyncClient, accept: str | None, kind: str) -> None:
    headers = {"Accept": accept} if accept is not None else {}
    if accept is None:
        client.headers.pop("accept")
    answer, head = await client.get("/?utm_source=mail", headers=headers), await client.head("/", headers=headers)

    assert answer.headers["content-type"].partition(";")[0] == kind
    assert head.status_code == answer.status_code == (406 if kind.endswith("problem+json") else 200)
    assert head.content == b""
    assert head.headers["content-length"] == answer.headers["content-length"]
    if answer.status_code == 200:
        assert answer.headers["vary"] == "Accept, Accept-Language"


async def test_the_page_runs_nothing_and_speaks_the_readers_language(client: httpx.AsyncClient) -> None:
    page = await client.get("/", headers={"Accept": BROWSER, "Accept-Language": "fr, de-AT;q=0.8"})

    assert '<html lang="de">' in page.text
    assert page.headers["content-language"] == "de"
    assert "API-Dokumentation" in page.text
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline';")
    assert "frame-ancestors 'none'" in policy
    assert "script" not in page.text


def test_no_link_is_without_a_route() -> None:
    app = create_app(settings_for(DatabaseURL.parse("sqlite:///unused.db"), ENVIRONMENT="development"))
    for link in (link for domain in DOMAINS for link in domain.links):
        assert app.route_reverse(link.route, **link.parameters)
