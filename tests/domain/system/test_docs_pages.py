"""The documentation pages: what they load, what they forbid, and that their files are what they claim to be."""

import hashlib
import re
from collections.abc import AsyncIterator
from typing import Any, cast

import httpx
import pytest
from litestar import Litestar

from app.domain.system.docs_pages import ASSETS, STATIC, Asset, docs_router
from app.lib.http.problems import exception_handlers

VENDORED_ROW = re.compile(r"^\| `(?P<file>[^`]+)` \|.*\| `(?P<sha256>[0-9a-f]{64})` \|$", re.MULTILINE)
LINK = re.compile(r'(?:src|href)="([^"]+)"')


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    router = docs_router(title="Lodestar <&> friends", security_scheme="password")
    app = Litestar([router], openapi_config=None, exception_handlers=exception_handlers())
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=cast("Any", app)), base_url="http://docs.test"
    ) as client:
        yield client


def vendored_files() -> dict[str, str]:
    rows = VENDORED_ROW.finditer((STATIC / "VENDORED.md").read_text())
    return {row["file"]: row["sha256"] for row in rows}


@pytest.mark.parametrize("file_name", [name for name in ASSETS if name.endswith(".gz")])
def test_vendored_files_are_the_published_ones(file_name: str) -> None:
    assert hashlib.sha256(Asset(file_name).plain).hexdigest() == vendored_files()[file_name]


def test_every_compressed_file_is_listed_and_served() -> None:
    on_disk = {path.name for path in STATIC.glob("*.gz")}
    assert on_disk == set(vendored_files()) == {name for name in ASSETS if name.endswith(".gz")}


@pytest.mark.parametrize("path", ["/docs", "/docs/swagger"])
async def test_a_page_loads_only_files_of_this_service(client: httpx.AsyncClient, path: str) -> None:
    page = await client.get(path)

    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "Lodestar &lt;&amp;&gt; friends" in page.text
    links = LINK.findall(page.text)
    assert "/docs/openapi.json" in links
    assets = [link for link in links if link != "/docs/openapi.json"]
    assert len(assets) >= 3
    assert [(await client.get(link)).status_code for link in assets] == [200] * len(assets)


@pytest.mark.parametrize("path", ["/docs", "/docs/swagger"])
async def test_a_page_forbids_inline_scripts_and_foreign_hosts(client: httpx.AsyncClient, path: str) -> None:
    page = await client.get(path)

    policy = dict(part.strip().split(" ", 1) for part in page.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert not re.search(r"<script(?![^>]*\bsrc=)", page.text)


async def test_assets_may_be_cached_for_ever(client: httpx.AsyncClient) -> None:
    response = await client.get(Asset("scalar-init.js").url)

    assert response.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert response.headers["content-type"] == "text/javascript; charset=utf-8"


@pytest.mark.parametrize(
    ("accept_encoding", "compressed"),
    [("gzip", True), ("br, GZIP;q=0.5", True), ("identity", False), ("gzip;q=0", False), ("gzip; q=0.000", False)],
)
async def test_assets_are_compressed_for_who_takes_it(
    client: httpx.AsyncClient, accept_encoding: str, compressed: bool
) -> None:
    asset = Asset("swagger-ui.css.gz")

    response = await client.get(asset.url, headers={"Accept-Encoding": accept_encoding})

    assert (response.headers.get("content-encoding") == "gzip") is compressed
    assert response.headers["vary"] == "Accept-Encoding"
    assert response.headers["etag"] == (f'"{asset.digest}-gzip"' if compressed else f'"{asset.digest}"')
    assert response.content == asset.plain


@pytest.mark.parametrize(
    "name", ["VENDORED.md", "scalar.js", "..%2f..%2fdocs_pages.py", "%2e%2e/docs_pages.py", "scalar-init-0.js"]
)
async def test_nothing_else_is_served(client: httpx.AsyncClient, name: str) -> None:
    assert (await client.get(f"/docs/assets/{name}")).status_code == 404
