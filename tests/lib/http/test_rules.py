"""What a request may bring: media types, bodies, ids."""

from typing import Any, cast
from uuid import UUID

import pytest
from litestar import get
from litestar.params import FromPath

from app.lib.http.rules import accepts, names_media_type
from tests.lib.http.toys import call, make_app, toy

NOTE = b'{"text": "hello"}'


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "APPLICATION/JSON",
        "application/json; charset=utf-8",
        'application/json;charset="UTF-8"',
        "application/json ; charset=utf8",
        "application/json; version=1",
    ],
)
async def test_json_in_utf_8_is_read(content_type: str) -> None:
    async with call(toy()) as client:
        response = await client.post("/notes", content=NOTE, headers={"Content-Type": content_type})

    assert response.status_code == 201


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "",
        "text/plain",
        "text/json",
        "application/vnd.toy+json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset=latin-1",
        "application/json; charset=utf-16",
        "application/json; charset",
        "application/json, text/plain",
        "application/jsonp",
        ";application/json",
    ],
)
async def test_anything_else_is_415_and_says_what_is_read(content_type: str | None) -> None:
    headers = {} if content_type is None else {"Content-Type": content_type}
    async with call(toy()) as client:
        response = await client.post("/notes", content=NOTE, headers=headers)

    assert response.status_code == 415
    assert response.json()["code"] == "unsupported_media_type"
    assert response.headers["accept-post"] == "application/json"
    assert "accept-patch" not in response.headers


async def test_two_content_types_are_415() -> None:
    headers = [("Content-Type", "application/json"), ("Content-Type", "application/json")]
    async with call(toy()) as client:
        assert (await client.post("/notes", content=NOTE, headers=headers)).status_code == 415


async def test_a_patch_says_what_it_reads() -> None:
    async with call(toy()) as client:
        refused = await client.patch("/notes", content=NOTE, headers={"Content-Type": "text/plain"})
        merge = await client.patch("/notes", content=NOTE, headers={"Content-Type": "application/merge-patch+json"})
        json = await client.patch("/notes", content=NOTE, headers={"Content-Type": "application/json"})

    assert refused.status_code == 415
    assert refused.headers["accept-patch"] == "application/json, application/merge-patch+json"
    assert "accept-post" not in refused.headers
    assert merge.status_code == json.status_code == 200


@pytest.mark.parametrize("coding", ["gzip", "br", "deflate, gzip"])
async def test_compressed_bodies_are_415(coding: str) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": coding}
    async with call(toy()) as client:
        response = await client.post("/notes", content=NOTE, headers=headers)

    assert response.status_code == 415
    assert response.headers["accept-encoding"] == "identity"


async def test_an_empty_body_is_a_missing_one() -> None:
    async with call(toy()) as client:
        for headers in ({}, {"Content-Type": "application/json"}):
            response = await client.post("/notes", headers=headers)
            assert response.status_code == 422
            assert response.json()["errors"] == [
                {"code": "required", "detail": "A request body is required.", "pointer": ""}
            ]


async def test_a_body_of_white_space_is_a_missing_one() -> None:
    async with call(toy()) as client:
        response = await client.post("/notes", content=b" \n ", headers={"Content-Type": "application/json"})

    assert response.status_code == 422
    assert response.json()["errors"][0]["code"] == "required"


async def test_an_optional_body_may_be_left_out_without_a_content_type() -> None:
    async with call(toy()) as client:
        assert (await client.post("/optional")).json() == {"text": None}
        assert (await client.post("/optional", json={"text": "x"})).json() == {"text": "x"}
        assert (await client.post("/optional", content=NOTE)).status_code == 415
        assert (await client.post("/optional", json=None, content=b"null")).status_code == 415


@pytest.mark.parametrize(
    ("content", "content_type", "status"),
    [
        (b"", "image/png", 204),
        (b"{}", "application/json", 204),
        (b" {} ", "application/json; charset=utf-8", 204),
        (b'{"x":1}', "application/json", 422),
        (b"[]", "application/json", 422),
        (b"null", "application/json", 422),
        (b" ", "application/json", 422),
        (b"{", "application/json", 400),
        (b"\xff", "application/json", 400),
        (b"{}", "text/plain", 415),
        (b"\xff\x00{", "image/png", 415),
        (b" " * 1_001, "application/json", 413),
    ],
)
async def test_an_action_without_a_body_refuses_one_that_says_something(
    content: bytes, content_type: str, status: int
) -> None:
    async with call(toy()) as client:
        response = await client.post("/poke", content=content, headers={"Content-Type": content_type})
        assert response.status_code == status, response.text
        assert (
            await client.request("GET", "/plain", content=b"{", headers=response.request.headers)
        ).status_code == 200


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_over_the_limit_is_413(chunked: bool) -> None:
    async def chunks() -> Any:
        for _ in range(11):
            yield b" " * 100

    content: Any = chunks() if chunked else b" " * 1_001
    async with call(toy()) as client:
        response = await client.post("/notes", content=content, headers={"Content-Type": "application/json"})

    assert ("content-length" in response.request.headers) is not chunked
    assert response.status_code == 413
    assert response.json()["code"] == "payload_too_large"


@pytest.mark.parametrize(
    ("content_type", "messages", "status"),
    [
        (b"application/json", [NOTE], 201),
        (b"application/json", [b'{"text":', b'"hello"}'], 201),
        (b"application/json", [b"", NOTE], 201),
        (b"text/plain", [NOTE], 415),
        (b"text/plain", [b"", NOTE], 415),
        (None, [NOTE], 415),
        (None, [b""], 422),
    ],
)
async def test_a_body_without_a_length_is_looked_for(
    content_type: bytes | None, messages: list[bytes], status: int
) -> None:
    """As it comes over HTTP/2: neither Content-Length nor Transfer-Encoding."""
    waiting: list[Any] = [
        {"type": "http.request", "body": body, "more_body": number < len(messages)}
        for number, body in enumerate(messages, 1)
    ]
    sent: list[Any] = []

    async def receive() -> Any:
        return waiting.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"content-type", content_type)] if content_type else []
    scope = {"type": "http", "method": "POST", "path": "/notes", "query_string": b"", "headers": headers, "state": {}}
    app: Any = toy()
    await app(cast("Any", scope | {"client": None, "http_version": "2"}), receive, send)

    assert sent[0]["status"] == status


@pytest.mark.parametrize(
    "accept",
    [
        "",
        "*/*",
        "application/json",
        "APPLICATION/JSON",
        "application/*",
        "text/html, */*;q=0.1",
        "application/json;q=0.001",
        "application/json; charset=utf-8",
        "application/json;q=1.000",
        "application/json;q=nonsense",
    ],
)
async def test_these_accept_json(accept: str) -> None:
    async with call(toy(), headers={"Accept": accept}) as client:
        assert (await client.get("/plain")).status_code == 200


@pytest.mark.parametrize(
    "accept",
    [
        "text/html",
        "application/xml, text/*",
        "application/json;q=0",
        "application/json;q=0.000",
        "*/*;q=0",
        "application/json;q=0, */*",
        "application/*;q=0, */*",
        "application/problem+json",
        "nonsense",
    ],
)
async def test_these_exclude_json(accept: str) -> None:
    async with call(toy(), headers={"Accept": accept}) as client:
        response = await client.get("/plain")

    assert response.status_code == 406
    assert response.json()["code"] == "not_acceptable"
    assert response.headers["content-type"] == "application/problem+json"


async def test_several_accept_lines_are_one_list() -> None:
    async with call(toy()) as client:
        response = await client.get("/plain", headers=[("Accept", "text/html"), ("Accept", "application/json")])

    assert response.status_code == 200


async def test_pages_are_not_held_against_accept() -> None:
    async with call(toy(), headers={"Accept": "text/html"}) as client:
        assert (await client.get("/page")).status_code == 200


ID = "0193a3c4-5b6d-7e8f-9a0b-1c2d3e4f5a6b"


@pytest.mark.parametrize(
    ("spelled", "status"),
    [
        (ID, 200),
        (ID.upper(), 404),
        (ID.replace("-", ""), 404),
        (f"{{{ID}}}", 404),
        (f"urn:uuid:{ID}", 404),
        (f"{ID} ", 404),
        (f"{ID}0", 404),
        ("%00", 404),
        ("%ff", 404),
        ("%zz", 404),
    ],
)
async def test_an_id_has_one_spelling(spelled: str, status: int) -> None:
    @get("/things/{thing_id:uuid}")
    async def thing(thing_id: FromPath[UUID]) -> dict[str, str]:
        return {"id": str(thing_id)}

    async with call(make_app([thing])) as client:
        response = await client.get(f"/things/{spelled}")

    assert response.status_code == status


def test_media_types_are_compared_without_case_and_parameters() -> None:
    assert names_media_type([b"Text/CSV; header=present"], ("text/csv",))
    assert not names_media_type([], ("text/csv",))
    assert accepts("text/html;level=1, application/json;level=2;q=0.4", "application/json")
