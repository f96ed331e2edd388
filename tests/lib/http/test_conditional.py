"""Conditional requests: 304 for what the client has."""

import pytest

from app.lib.errors import FieldCode, ValidationFailed
from app.lib.http.conditional import if_none_match, read_if_match
from tests.lib.http.toys import call, toy

OWNER, STRANGER = "0193a3c45b6d7e8f9a0b1c2d3e4f5a6b", "0193a3c45b6d7e8f9a0b1c2d3e4f5a6c"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", ["/tagged", "/weakly-tagged"])
@pytest.mark.parametrize("wanted", ['"7"', 'W/"7"', '"1", "7"', '"1",W/"7"', "*", ' "7" ', '"a,b", "7"'])
async def test_what_the_client_has_is_304(method: str, path: str, wanted: str) -> None:
    async with call(toy()) as client:
        response = await client.request(method, path, headers={"If-None-Match": wanted})

    assert response.status_code == 304
    assert response.content == b""
    assert response.headers["etag"].removeprefix("W/") == '"7"'
    assert response.headers["cache-control"] == "private, no-cache"
    assert "content-length" not in response.headers
    assert "content-type" not in response.headers
    assert "x-request-id" in response.headers


@pytest.mark.parametrize("wanted", ['"8"', 'W/"8"', "7", "", '"77"', '"7', '"*"', "W/*"])
async def test_what_the_client_lacks_is_sent(wanted: str) -> None:
    async with call(toy()) as client:
        response = await client.get("/tagged", headers={"If-None-Match": wanted})

    assert response.status_code == 200
    assert response.json() == {"version": 7}


async def test_several_header_lines_are_one_list() -> None:
    async with call(toy()) as client:
        response = await client.get("/tagged", headers=[("If-None-Match", '"1"'), ("If-None-Match", '"7"')])

    assert response.status_code == 304


async def test_a_list_of_tags_has_a_maximum() -> None:
    async with call(toy()) as client:
        allowed = await client.get("/tagged", headers={"If-None-Match": '"7",' + '"1",' * 1_000})
        refused = await client.get("/tagged", headers={"If-None-Match": '"7",' + '"1",' * 1_100})

    assert allowed.status_code == 304
    assert refused.status_code == 422
    assert [(e["header"], e["code"]) for e in refused.json()["errors"]] == [("If-None-Match", "too_long")]


@pytest.mark.parametrize("path", ["/plain", "/nowhere", "/refused"])
async def test_only_tagged_successes_are_304(path: str) -> None:
    async with call(toy()) as client:
        assert (await client.get(path, headers={"If-None-Match": "*"})).status_code != 304


async def test_a_write_is_never_304() -> None:
    async with call(toy()) as client:
        assert (await client.post("/poke", headers={"If-None-Match": "*"})).status_code == 204


async def test_a_stream_that_the_client_has_is_not_sent() -> None:
    async with call(toy()) as client:
        response = await client.get("/stream", headers={"If-None-Match": '"s"'})

    assert (response.status_code, response.content) == (304, b"")


def test_comparison_is_weak() -> None:
    assert if_none_match(b'W/"1"', b'"1"')
    assert if_none_match(b'"1"', b'W/"1"')
    assert not if_none_match(b'"1"', b'"2"')
    assert not if_none_match(b'"1-gzip"', b'"2"')
    assert if_none_match(b'W/"1-gzip", "2--gzip"', b'"2"')
    assert if_none_match(b'"a-gzip"', b'"a-gzip"')


@pytest.mark.parametrize(
    ("header", "versions"),
    [
        ('"3"', {3}),
        ('W/"3"', {3}),
        ('"3", "5"', {3, 5}),
        ('"abc"', set[int]()),
        ('"3", "abc"', {3}),
        ('"3-gzip", W/"4--gzip","5;gzip", "6-br", "7-zstd"', {3, 4, 5, 6, 7}),
        ('"3-gz", "4-gzip-x", "-gzip", "5gzip", "6.-gzip"', set[int]()),
        ('"3-0123456789abcdef", W/"4-0123456789abcdef-gzip", "5-0123456789abcde", "6-x"', {3, 4}),
        (f'"3.{OWNER}", W/"4.{OWNER}-gzip", "5.{STRANGER}", "6.{STRANGER}-br"', {3, 4}),
    ],
)
def test_if_match_reads_versions(header: str, versions: set[int]) -> None:
    assert read_if_match(header, {OWNER}).versions == frozenset(versions)


@pytest.mark.parametrize("header", ["*", " * "])
def test_if_match_may_be_any(header: str) -> None:
    assert read_if_match(header).versions is None


@pytest.mark.parametrize("header", ["3", "abc", "", '"3'])
def test_if_match_without_quotes_is_refused(header: str) -> None:
    with pytest.raises(ValidationFailed) as raised:
        read_if_match(header)

    assert [(error.header, error.code) for error in raised.value.errors] == [("If-Match", FieldCode.INVALID_FORMAT)]
