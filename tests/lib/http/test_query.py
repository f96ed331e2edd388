"""Query parameters: only known ones, single ones once, each spelled as its type says."""

from datetime import datetime
from typing import Annotated, Any, Literal

import httpx
import pytest
from litestar import get
from litestar.di import NamedDependency, Provide
from litestar.params import FromQuery, QueryParameter

from tests.lib.http.toys import call, make_app

Page = Annotated[int, QueryParameter(ge=1, le=100)]


async def provide_page(page: Page = 1, since: FromQuery[datetime | None] = None) -> tuple[int, str | None]:
    return page, since.isoformat() if since else None


@get("/search")
async def search(
    paging: NamedDependency[tuple[int, str | None]],
    tag: FromQuery[list[str] | None] = None,
    number: FromQuery[list[int] | None] = None,
    exact: FromQuery[bool] = False,
    text: Annotated[str | None, QueryParameter(name="q", max_length=5)] = None,
    expand: FromQuery[Literal["author"] | None] = None,
) -> dict[str, Any]:
    return {"paging": paging, "tag": tag, "number": number, "exact": exact, "q": text, "expand": expand}


async def ask(query: str) -> httpx.Response:
    app = make_app([search], dependencies={"paging": Provide(provide_page)})
    async with call(app) as client:
        return await client.get(f"/search?{query}")


async def test_what_is_known_and_well_spelled_is_read() -> None:
    query = "page=2&since=2026-01-31T12:00:00Z&tag=a&tag=b&number=1&number=-2&exact=true&q=%C3%A9"

    assert (await ask(query)).json() == {
        "paging": [2, "2026-01-31T12:00:00+00:00"],
        "tag": ["a", "b"],
        "number": [1, -2],
        "exact": True,
        "q": "é",
        "expand": None,
    }


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("pag=1", ["pag"]),
        ("foo=1&bar=2&foo=3&page=x", ["foo", "bar"]),
        ("PAGE=1", ["PAGE"]),
        ("=1", [""]),
        ("text=1", ["text"]),
        ("%00=1", ["\0"]),
        ("page%5B%5D=1", ["page[]"]),
    ],
)
async def test_unknown_parameters_are_named_all_together(query: str, names: list[str]) -> None:
    response = await ask(query)

    assert response.status_code == 400
    assert response.json()["code"] == "unknown_parameter"
    assert [error["parameter"] for error in response.json()["errors"]] == names
    assert {error["code"] for error in response.json()["errors"]} == {"unknown_field"}


async def test_at_most_50_unknown_parameters_are_named_and_none_at_length() -> None:
    response = await ask("&".join(f"{'x' * 100}{number}=1" for number in range(100)))

    names = [error["parameter"] for error in response.json()["errors"]]
    assert len(names) == 50
    assert {len(name) for name in names} == {64}


@pytest.mark.parametrize("query", ["page=1&page=2", "page=1&page=1", "page=1&q=a&page=x", "page=1&page=2&page=3"])
async def test_a_single_parameter_is_given_once(query: str) -> None:
    response = await ask(query)

    assert response.status_code == 422
    assert response.json()["code"] == "validation_failed"
    assert response.json()["errors"] == [
        {"code": "invalid_format", "detail": "Must be given once.", "parameter": "page"}
    ]


@pytest.mark.parametrize("value", ["", "1.0", "1e0", "+1", "0x1", "one", " 1", "1 ", "\uff11", "1_000", "NaN", "--1"])
@pytest.mark.parametrize("name", ["page", "number"])
async def test_integers_are_digits(name: str, value: str) -> None:
    response = await ask(str(httpx.QueryParams({name: value})))

    assert response.status_code == 422
    assert response.json()["errors"] == [
        {"code": "invalid_type", "detail": "Must be an integer.", "parameter": name},
    ]


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("0", "too_small"),
        ("101", "too_large"),
        ("9" * 20, "too_large"),
        ("9" * 5_000, "too_large"),
        ("-1", "too_small"),
    ],
)
async def test_integers_have_bounds(value: str, code: str) -> None:
    response = await ask(f"page={value}")

    assert response.status_code == 422
    assert [(error["code"], error["parameter"]) for error in response.json()["errors"]] == [(code, "page")]


@pytest.mark.parametrize(
    "value",
    ["1", "1767225600", "2026-01-31", "2026-01-31T12:00:00", "2026-01-31T12:00Z", "now", "", "2026-13-01T00:00:00Z"],
)
async def test_instants_have_a_time_zone(value: str) -> None:
    response = await ask(str(httpx.QueryParams({"since": value})))

    assert response.status_code == 422
    assert [(error["code"], error["parameter"]) for error in response.json()["errors"]] == [("invalid_format", "since")]


@pytest.mark.parametrize("value", ["%00", "a%00b", "%ff", "%ed%a0%80", "%c0%80", "%fe%ff%00a"])
async def test_values_are_utf_8_without_nul(value: str) -> None:
    response = await ask(f"q={value}")

    assert response.status_code == 422
    assert response.json()["errors"] == [
        {"code": "invalid_format", "detail": "Must be text in UTF-8 without NUL.", "parameter": "q"}
    ]


@pytest.mark.parametrize("value", ["null", "Null", "NULL"])
async def test_null_is_a_text_or_nothing_that_is_known(value: str) -> None:
    assert (await ask(f"q={value}&tag={value}")).json()["q"] == value
    faults = {
        "page": ("invalid_type", "Must be an integer."),
        "since": ("invalid_format", "Must be an instant with its time zone, such as 2026-01-31T12:00:00Z."),
        "number": ("invalid_type", "Must be an integer."),
        "exact": ("invalid_type", "Must be true or false."),
        "expand": ("invalid_choice", "Is not one of the allowed values."),
    }
    response = await ask("&".join(f"{name}={value}" for name in faults))

    assert response.status_code == 422
    assert {error["parameter"]: (error["code"], error["detail"]) for error in response.json()["errors"]} == faults


async def test_faults_of_several_parameters_are_reported_together() -> None:
    response = await ask("page=x&since=y&q=%00&tag=fine")

    assert [error["parameter"] for error in response.json()["errors"]] == ["page", "since", "q"]
    assert response.json()["detail"] == "3 errors in the request."


async def test_the_rejected_value_is_not_repeated() -> None:
    response = await ask("page=hunter2&since=hunter2&q=hunter2-too-long")

    assert response.status_code == 422
    assert "hunter2" not in response.text


@pytest.mark.parametrize("query", ["q=%zz", "q=%", "q=100%"])
async def test_a_stray_percent_sign_is_itself(query: str) -> None:
    response = await ask(query)

    assert response.status_code == 200
    assert response.json()["q"] == query[2:]
