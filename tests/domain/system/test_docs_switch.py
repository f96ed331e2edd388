"""``DOCS=off`` leaves no trace of the documentation."""

import pytest

from app.lib.db.url import DatabaseURL
from tests.support.apps import client_of, running_app

PATHS = ["/docs", "/docs/swagger", "/docs/openapi.json"]


async def test_public_docs_are_there(database_url: DatabaseURL) -> None:
    async with running_app(database_url, DOCS="public") as app, client_of(app) as client:
        assert {(await client.get(path)).status_code for path in PATHS} == {200}
        document = await client.get("/docs/openapi.json")
        again = await client.get("/docs/openapi.json", headers={"If-None-Match": document.headers["etag"]})

    assert document.headers["content-type"] == "application/json"
    assert document.headers["cache-control"] == "no-cache"
    assert document.json()["openapi"].startswith("3.1")
    assert again.status_code == 304


@pytest.mark.parametrize("path", [*PATHS, "/docs/", "/docs/assets/icon.svg", "/schema", "/openapi.json"])
async def test_docs_that_are_off_are_not_found(database_url: DatabaseURL, path: str) -> None:
    async with running_app(database_url, DOCS="off") as app, client_of(app) as client:
        response = await client.get(path)
        options = await client.options(path)

    assert response.status_code == options.status_code == 404
    assert response.json()["code"] == "not_found"


async def test_the_pages_of_problems_stay(database_url: DatabaseURL) -> None:
    async with running_app(database_url, DOCS="off") as app, client_of(app) as client:
        assert (await client.get("/problems/not-found")).status_code == 200
