"""Handlers say what they inject by their annotations alone."""

import pytest
from litestar import Litestar, Router, get
from litestar.exceptions import ImproperlyConfiguredException

from app.lib.http.injection import Injected, provide_services
from app.lib.services import Services
from tests.support.apps import client_of


class Words:
    def __init__(self) -> None:
        self.greeting = "hello"


class Greeter:
    def __init__(self, words: Words) -> None:
        self.words = words


class Stranger:
    def __init__(self) -> None:
        self.name = "stranger"


@get("/greeting")
async def greet(greeter: Injected[Greeter]) -> str:
    return greeter.words.greeting


@get("/other")
async def greet_otherwise(greeter: Injected[Stranger]) -> str:
    return greeter.name


async def test_a_service_is_built_from_the_annotation_of_a_handler() -> None:
    router = Router("/", route_handlers=[greet])
    provide_services(router, Services(), {}, {})

    async with client_of(Litestar([router], openapi_config=None)) as client:
        assert (await client.get("/greeting")).text == "hello"


def test_one_name_for_two_types_is_refused() -> None:
    with pytest.raises(ImproperlyConfiguredException, match="greeter is Stranger and Greeter"):
        provide_services(Router("/", route_handlers=[greet, greet_otherwise]), Services(), {}, {})
