"""The parameters of a list in a real application."""

from collections.abc import AsyncIterator
from typing import Annotated, Any, cast

import httpx
import pytest
from litestar import Litestar, Request, Response, get
from litestar.di import NamedDependency, Provide

from app.lib.errors import AppError
from app.lib.openapi.components import tidy_parameter
from app.lib.pagination.parameters import PageRequest, provide_list_parameters
from app.lib.pagination.sorting import sort_parameter


@get("/toys", dependencies={"paging": Provide(provide_list_parameters)})
async def list_toys(
    paging: NamedDependency[PageRequest],
    sort: Annotated[str | None, sort_parameter(["created_at", "title"], "-created_at")] = None,
) -> dict[str, Any]:
    return {"paging": paging, "sort": sort}


def show(_: Request[Any, Any, Any], error: Any) -> Response[Any]:
    return Response({"code": error.code.value, "errors": error.errors}, status_code=error.status)


APP = Litestar([list_toys], exception_handlers={AppError: show})


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(cast("Any", APP))  # the two packages spell ASGI's types differently
    async with httpx.AsyncClient(transport=transport, base_url="http://toys") as client:
        yield client


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", {"page": 1, "page_size": 20, "cursor": None, "include_total": None}),
        ("?page=3&page_size=100", {"page": 3, "page_size": 100, "cursor": None, "include_total": None}),
        ("?cursor=abc", {"page": None, "page_size": 20, "cursor": "abc", "include_total": None}),
        ("?cursor=", {"page": None, "page_size": 20, "cursor": "", "include_total": None}),
        ("?include_total=false", {"page": 1, "page_size": 20, "cursor": None, "include_total": False}),
        ("?cursor=a&include_total=true", {"page": None, "page_size": 20, "cursor": "a", "include_total": True}),
    ],
)
async def test_what_is_asked_for_arrives(client: httpx.AsyncClient, query: str, expected: dict[str, Any]) -> None:
    assert (await client.get(f"/toys{query}")).json()["paging"] == expected


@pytest.mark.parametrize(
    "query", ["page=0", "page=-1", "page=x", "page_size=0", "page_size=101", "page_size=x", "include_total=maybe"]
)
async def test_what_is_out_of_bounds_is_refused_by_litestar(client: httpx.AsyncClient, query: str) -> None:
    response = await client.get(f"/toys?{query}")
    assert response.status_code == 400
    assert [error["key"] for error in response.json()["extra"]] == [query.split("=", maxsplit=1)[0]]


@pytest.mark.parametrize("query", ["page=1&cursor=abc", "cursor=&page=2"])
async def test_a_page_and_a_cursor_are_one_too_many(client: httpx.AsyncClient, query: str) -> None:
    response = await client.get(f"/toys?{query}")
    assert response.status_code == 400
    assert response.json()["code"] == "unknown_parameter"
    assert [error["parameter"] for error in response.json()["errors"]] == ["page"]


@pytest.mark.parametrize("query", ["page=501", "page=101&page_size=100", "page=10001&page_size=1", "page=9" + "9" * 30])
async def test_a_page_past_row_ten_thousand_names_the_cursor(client: httpx.AsyncClient, query: str) -> None:
    response = await client.get(f"/toys?{query}")
    assert response.status_code == 422
    (error,) = response.json()["errors"]
    assert (error["parameter"], error["code"]) == ("page", "too_large")
    assert "cursor" in error["detail"]


@pytest.mark.parametrize(("page", "page_size"), [(500, 20), (100, 100), (10_000, 1), (334, 30)])
async def test_the_last_page_that_begins_before_it_is_fine(
    client: httpx.AsyncClient, page: int, page_size: int
) -> None:
    assert (await client.get("/toys", params={"page": page, "page_size": page_size})).status_code == 200


def test_the_document_describes_every_parameter() -> None:
    operation = APP.openapi_schema.to_schema()["paths"]["/toys"]["get"]
    schemas = {parameter["name"]: tidy_parameter(parameter)["schema"] for parameter in operation["parameters"]}
    assert all(parameter["description"] for parameter in operation["parameters"])
    assert not any(parameter["required"] for parameter in operation["parameters"])
    assert {name: schema["type"] for name, schema in schemas.items()} == {
        "page": "integer",
        "page_size": "integer",
        "cursor": "string",
        "include_total": "boolean",
        "sort": "string",
    }
    assert (schemas["page"]["minimum"], schemas["page"]["maximum"]) == (1, 10_000)
    assert (schemas["page_size"]["minimum"], schemas["page_size"]["maximum"]) == (1, 100)
    assert schemas["page_size"]["default"] == 20
    assert schemas["cursor"]["pattern"] == "^[A-Za-z0-9_-]+$"
    assert (schemas["sort"]["default"], schemas["sort"]["maxLength"]) == ("-created_at", 18)
    assert "-?(?:created_at|title)" in schemas["sort"]["pattern"]
    assert not any("oneOf" in schema for schema in schemas.values())
