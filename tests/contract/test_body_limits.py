"""What a body may weigh, route by route."""

from typing import Any

import httpx
import pytest
from litestar import Litestar
from msgspec import inspect as types

from app.asgi import create_app
from app.lib.db.url import DatabaseURL
from app.lib.http.rules import JSON, SMALL_BODY
from tests.contract.routes import APP, DOCUMENT, Operation, operations
from tests.support.apps import settings_for
from tests.support.people import Person

READING = [each for each in operations(APP) if each.handler.parsed_data_field is not None]
_UTF_8 = 4  # bytes that a character takes at most
_BASE64URL = "^[A-Za-z0-9_-]*$"  # ASCII alone
_OTHER = 40  # an id, a number, an instant, a choice


def limit_of(operation: Operation) -> int:
    limit: int | None = operation.handler.resolve_request_max_body_size()
    assert limit is not None
    return limit


def largest(node: types.Type) -> int:  # noqa: PLR0911 - one for each kind of type
    """Bytes of the longest value of a type, in plain UTF-8 without white space."""
    match node:
        case types.Metadata():
            return largest(node.type)
        case types.UnionType():
            return max(map(largest, node.types))
        case types.StructType():
            return 2 + sum(len(member.encode_name) + 4 + largest(member.type) for member in node.fields)
        case types.CollectionType():
            return 2 + (node.max_length or 0) * (1 + largest(node.item_type))
        case types.DictType():
            return 2 + (node.max_length or 0) * (2 + largest(node.key_type) + largest(node.value_type))
        case types.StrType():
            return 2 + (node.max_length or 0) * (1 if (node.pattern or "").startswith(_BASE64URL) else _UTF_8)
        case _:
            return _OTHER


def test_every_valid_body_fits_its_route() -> None:
    sizes = [(each, largest(types.type_info(each.handler.parsed_data_field.annotation))) for each in READING]
    # The token of a refresh has 4 096 characters that are counted with four bytes each, but are ASCII. A batch of
    # products with as much metadata as each may have is 12 MB, which its description refuses.
    too_large = {each.path for each, size in sizes if size > limit_of(each)}
    too_large -= {"/api/v1/auth/refresh", "/api/v1/products/batch"}
    assert not too_large, f"give the handlers of {too_large} opt=TEXT_BODY, or shorten what they read"


def test_small_bodies_have_a_small_limit() -> None:
    assert {limit_of(each) for each in operations(APP) if "/auth/" in each.path} == {SMALL_BODY}
    larger = {f"{each.method} {each.path}" for each in READING if limit_of(each) > 64_000}
    with_metadata = {
        *("POST /api/v1/users", "PATCH /api/v1/users/{user_id:uuid}"),
        *("POST /api/v1/orders", "PATCH /api/v1/orders/{order_id:uuid}"),
        *("POST /api/v1/products", "PATCH /api/v1/products/{product_id:uuid}"),
    }
    long = {"POST /api/v1/posts", "PATCH /api/v1/posts/{post_ref:str}", "POST /api/v1/products/batch"}
    assert larger <= long | with_metadata, f"bodies above 64 kB are listed here: {larger - long - with_metadata}"


@pytest.mark.asvs("2.2.1")
@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_over_the_limit_of_its_route_is_413(
    unlimited_app: Litestar, as_boss: httpx.AsyncClient, boss: Person, chunked: bool
) -> None:
    for each in operations(unlimited_app):
        consumes = each.rules.consumes or ()
        if JSON not in consumes:
            continue
        blank = b" " * limit_of(each)
        for content, refused in ((blank, False), (blank + b" ", True)):
            body: Any = _in_two(content) if chunked else content
            headers = {"Content-Type": consumes[0]}
            response = await as_boss.request(each.method, each.url(user_id=str(boss.id)), content=body, headers=headers)
            assert (response.status_code == 413) is refused, (each, response.text)


async def _in_two(content: bytes) -> Any:
    yield content[:100]
    yield content[100:]


def test_the_setting_is_above_the_limit_of_a_route() -> None:
    settings = settings_for(DatabaseURL.parse("sqlite:///unused.db"), REQUEST_MAX_BODY_SIZE="1000")
    assert {limit_of(each) for each in operations(create_app(settings))} == {1_000}


def test_the_document_states_the_limit() -> None:
    for each in READING:
        path = each.path.replace(":str}", "}").replace(":uuid}", "}").replace(":int}", "}")
        body = DOCUMENT["paths"][path][each.method.lower()]["requestBody"]
        assert f"At most {limit_of(each):,} bytes." in body["description"]
