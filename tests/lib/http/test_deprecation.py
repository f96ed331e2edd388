"""A route that will go says so in every answer."""

from datetime import UTC, datetime

import pytest
from litestar import get
from litestar.handlers import BaseRouteHandler
from litestar.params import FromQuery
from litestar.types import Scope

from app.lib.db.writes import Writes
from app.lib.errors import InvalidState
from app.lib.http.answers import PublicAnswers, public_answer
from app.lib.http.deprecation import deprecated
from app.lib.security.policies import public
from tests.lib.http.toys import call, in_shell, make_app

SINCE, SUNSET = datetime(2026, 1, 31, tzinfo=UTC), datetime(2026, 12, 31, 12, 0, tzinfo=UTC)


async def test_every_answer_of_a_deprecated_route_says_when_it_goes() -> None:
    @get("/old", guards=[public], opt=deprecated(SINCE, SUNSET))
    async def old(fail: FromQuery[bool] = False) -> dict[str, str]:
        if fail:
            raise InvalidState
        return {}

    @get("/new", guards=[public])
    async def new() -> dict[str, str]:
        return {}

    app = make_app([old, new])
    app.asgi_handler = in_shell(app.asgi_router)
    async with call(app) as client:
        answers = [await client.get("/old"), await client.head("/old"), await client.get("/old?fail=true")]
        others = [await client.get("/new"), await client.get("/nowhere")]

    assert [answer.status_code for answer in answers] == [200, 200, 409]
    for answer in answers:
        assert answer.headers["deprecation"] == "@1769817600"
        assert answer.headers["sunset"] == "Thu, 31 Dec 2026 12:00:00 GMT"
    assert not [answer for answer in others if {"deprecation", "sunset"} & set(answer.headers)]


async def test_an_answer_from_memory_says_it_as_well() -> None:
    asked: list[str] = []

    @get("/old", guards=[public], opt=deprecated(SINCE, SUNSET) | public_answer("toys"))
    async def old() -> dict[str, str]:
        asked.append("old")
        return {"said": "hello"}

    async def admit(_scope: Scope, _handler: BaseRouteHandler) -> None:
        raise AssertionError("no caller is signed in")

    app = make_app([old])
    app.asgi_handler = in_shell(PublicAnswers(app.asgi_router, Writes(), admit, seconds=3600))
    async with call(app) as client:
        routed, remembered = await client.get("/old"), await client.get("/old")

    assert asked == ["old"]
    assert remembered.content == routed.content
    assert remembered.headers.keys() == routed.headers.keys()
    assert remembered.headers["deprecation"] == "@1769817600"
    assert remembered.headers["sunset"] == "Thu, 31 Dec 2026 12:00:00 GMT"


def test_a_route_cannot_go_before_it_is_deprecated() -> None:
    with pytest.raises(ValueError, match="after it is deprecated"):
        deprecated(SUNSET, SINCE)
