"""Short words for what tests of accounts look at."""

from typing import Any

import httpx
from litestar import Litestar
from sqlalchemy import select

from tests.support.apps import core_of
from tests.support.audit import audited as audited  # noqa: PLC0414 - tests take it from here
from tests.support.people import Person

USERS = "/api/v1/users"
ME = "/api/v1/users/me"
MY_PROFILE = "/api/v1/users/me/profile"
ROLES = "/api/v1/roles"

JSONObject = dict[str, Any]


def own_tag(version: int, person: Person) -> str:
    """The ETag of a version of what is this person's, at a URL that means "mine"."""
    return f'"{version}.{person.id.hex}"'


def is_refused(response: httpx.Response, status: int, code: str) -> bool:
    """Whether it is the problem with this code; shows the answer where it is not."""
    assert (response.status_code, response.json().get("code")) == (status, code), response.text
    assert response.headers["content-type"] == "application/problem+json"
    return True


def field_errors(response: httpx.Response) -> dict[str, str]:
    """The codes of a 422 by pointer, parameter or header."""
    assert is_refused(response, 422, "validation_failed")
    return {
        error.get("pointer", error.get("parameter", error.get("header"))): error["code"]
        for error in response.json()["errors"]
    }


async def rows(app: Litestar, model: Any, *conditions: Any) -> list[Any]:
    """The rows of a table that meet the conditions."""
    async with core_of(app).database.independent() as unit:
        return list((await unit.session.execute(select(model).where(*conditions))).scalars())
