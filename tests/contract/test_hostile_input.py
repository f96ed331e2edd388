"""No input makes a 5xx, on any route: every one of these gets the problem that names it."""

import asyncio
import re
from typing import Any, NamedTuple

import httpx
import pytest
from litestar import Litestar

from app.lib.http.rules import FORM, JSON, MERGE_PATCH
from tests.contract.routes import DOCUMENT, Operation, operations
from tests.support.databases import on_one_database
from tests.support.people import Person
from tests.support.streams import EVENTS as STREAM

DEEP = 100_000
LIMIT = 2_000_000


class Hostile(NamedTuple):
    content: bytes
    status: int
    code: str = "validation_failed"


JSON_BODIES = {
    "nothing": Hostile(b"", 422),
    "white space": Hostile(b" \r\n\t", 422),
    "null": Hostile(b"null", 422),
    "an array": Hostile(b"[]", 422),
    "a string": Hostile(b'"{}"', 422),
    "a number": Hostile(b"1", 422),
    "a truth": Hostile(b"true", 422),
    "an array of objects": Hostile(b"[{}]", 422),
    "half an object": Hostile(b'{"name":', 400, "malformed_json"),
    "an object and more": Hostile(b"{}{}", 400, "malformed_json"),
    "single quotes": Hostile(b"{'name': 1}", 400, "malformed_json"),
    "a comment": Hostile(b"{} // fine", 400, "malformed_json"),
    "invalid UTF-8 in a value": Hostile(b'{"name":"\xff"}', 400, "malformed_json"),
    "invalid UTF-8 in a name": Hostile(b'{"\xc0\x80":1}', 400, "malformed_json"),
    "overlong UTF-8": Hostile(b'{"name":"\xc0\xaf"}', 400, "malformed_json"),
    "a raw surrogate": Hostile(b'{"name":"\xed\xa0\x80"}', 400, "malformed_json"),
    "an escaped lone surrogate": Hostile(b'{"name":"\\ud800"}', 400, "malformed_json"),
    "surrogates the wrong way round": Hostile(b'{"name":"\\udc00\\ud800"}', 400, "malformed_json"),
    "a raw control character": Hostile(b'{"name":"\x00"}', 400, "malformed_json"),
    "UTF-16": Hostile('{"name":"x"}'.encode("utf-16"), 400, "malformed_json"),
    "UTF-16 without a mark": Hostile('{"name":"x"}'.encode("utf-16-le"), 400, "malformed_json"),
    "UTF-32": Hostile('{"name":"x"}'.encode("utf-32"), 400, "malformed_json"),
    "a byte order mark": Hostile(b"\xef\xbb\xbf{}", 400, "malformed_json"),
    "only a NUL": Hostile(b"\x00", 400, "malformed_json"),
    "NaN": Hostile(b'{"name":NaN}', 400, "malformed_json"),
    "Infinity": Hostile(b'{"name":-Infinity}', 400, "malformed_json"),
    "nested arrays": Hostile(b"[" * DEEP + b"]" * DEEP, 400, "malformed_json"),
    "nested objects": Hostile(b'{"name":' * DEEP + b"1" + b"}" * DEEP, 400, "malformed_json"),
    "nested arrays without end": Hostile(b"[" * DEEP, 400, "malformed_json"),
    "an escaped NUL in a value": Hostile(b'{"name":"a\\u0000b"}', 422),
    "an escaped NUL in a name": Hostile(b'{"na\\u0000me":1}', 422),
    "an integer beyond 64 bit": Hostile(b'{"name":18446744073709551616}', 422),
    "an integer of 5000 digits": Hostile(b'{"name":' + b"9" * 5_000 + b"}", 422),
    "a tiny and a huge float": Hostile(b'{"name":1e-9999,"x":1e9999}', 422),
    "a name twice": Hostile(b'{"unknown":1,"unknown":2}', 422),
    "a hundred thousand members": Hostile(b"{%s}" % b",".join(b'"m%d":1' % n for n in range(DEEP)), 422),
    "a very long name": Hostile(b'{"%s":1}' % (b"n" * 1_000_000), 422),
    "a very long value": Hostile(b'{"name":"%s","unknown":1}' % (b"v" * 1_000_000), 422),
    "the prototype": Hostile(b'{"__proto__":{"is_superuser":true},"__class__":1}', 422),
    "over the limit": Hostile(b'{"name":"%s"}' % (b"v" * 3_000_000), 413, "payload_too_large"),
}

FORMS = {
    "a hundred thousand fields": Hostile(b"&".join(b"f%d=1" % n for n in range(DEEP)), 422),
    "a field twice": Hostile(b"username=a&username=b&password=x&refresh_token=a&refresh_token=b", 422),
    "an unknown field": Hostile(b"unknown=1", 422),
    "a NUL": Hostile(b"username=a%00b&password=x&refresh_token=a%00b", 422),
    "invalid UTF-8": Hostile(b"username=%ff&refresh_token=%ff", 400, "malformed_json"),
    "raw invalid UTF-8": Hostile(b"username=\xff", 400, "malformed_json"),
    "a surrogate": Hostile(b"username=%ed%a0%80", 400, "malformed_json"),
    "only separators": Hostile(b"&&&===;;;", 422),
    "stray percent signs": Hostile(b"%=%zz&%", 422),
    "over the limit": Hostile(b"username=" + b"v" * 3_000_000, 413, "payload_too_large"),
}


def refused_as(hostile: Hostile, operation: Operation) -> tuple[int, str]:
    """The answer of a route, which may take less than this body has."""
    if len(hostile.content) > operation.handler.resolve_request_max_body_size():
        return 413, "payload_too_large"
    return hostile.status, hostile.code


def reading(app: Litestar, media_type: str) -> list[Operation]:
    found = [each for each in operations(app) if media_type in (each.rules.consumes or ())]
    assert found
    return found


def check(response: httpx.Response, status: int, code: str) -> None:
    assert response.status_code == status, f"{response.request.method} {response.request.url}: {response.text[:300]}"
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["code"] == code
    assert len(problem.get("errors", ())) <= 50
    assert len(response.content) < 20_000
    if code == "validation_failed":
        assert problem["errors"]


def takes_no_body(operation: Operation) -> bool:
    """Whether the body is optional."""
    field = operation.handler.parsed_data_field
    return field is not None and field.is_optional


@on_one_database
@pytest.mark.asvs("2.2.1")
@pytest.mark.parametrize("what", JSON_BODIES)
async def test_every_route_refuses_this_json(
    unlimited_app: Litestar, as_boss: httpx.AsyncClient, boss: Person, what: str
) -> None:
    hostile = JSON_BODIES[what]
    for each in reading(unlimited_app, JSON):
        if not hostile.content and takes_no_body(each):
            continue
        media_type = MERGE_PATCH if each.method == "PATCH" else JSON
        response = await as_boss.request(
            each.method, each.url(user_id=str(boss.id)), content=hostile.content, headers={"Content-Type": media_type}
        )
        check(response, *refused_as(hostile, each))


@on_one_database
@pytest.mark.parametrize("what", FORMS)
async def test_every_route_that_reads_forms_refuses_this_one(
    unlimited_app: Litestar, anonymous: httpx.AsyncClient, what: str
) -> None:
    hostile = FORMS[what]
    answering_problems = [each for each in reading(unlimited_app, FORM) if not each.path.startswith("/account/")]
    for each in answering_problems:  # the others answer pages: tests/domain/auth/test_link_pages.py
        response = await anonymous.request(
            each.method, each.url(), content=hostile.content, headers={"Content-Type": FORM}
        )
        status, code = refused_as(hostile, each)
        is_oauth2 = each.path.startswith("/api/v1/auth/")
        check(response, 400 if is_oauth2 and status == 422 else status, code)


@on_one_database
@pytest.mark.asvs("16.5.1")
async def test_rejected_values_are_not_repeated(
    unlimited_app: Litestar, as_boss: httpx.AsyncClient, boss: Person
) -> None:
    names = ("email", "username", "name", "password", "current_password", "new_password", "roles", "permissions")
    body = {name: ["hunter2"] for name in (*names, "locale", "bio", "refresh_token", "unknown")}
    for each in reading(unlimited_app, JSON):
        for content in (body, dict.fromkeys(body, "hunter2" * 150), ["hunter2"], "hunter2"):
            response = await as_boss.request(each.method, each.url(user_id=str(boss.id)), json=content)
            check(response, 422, "validation_failed")
            assert "hunter2" not in response.text


@on_one_database
async def test_a_chunked_body_over_the_limit_is_413_everywhere(
    unlimited_app: Litestar, as_boss: httpx.AsyncClient, boss: Person
) -> None:
    async def chunks() -> Any:
        for _ in range(31):
            yield b" " * 100_000

    for each in reading(unlimited_app, JSON):
        response = await as_boss.request(
            each.method, each.url(user_id=str(boss.id)), content=chunks(), headers={"Content-Type": JSON}
        )
        check(response, 413, "payload_too_large")


@on_one_database
@pytest.mark.asvs("4.1.1")
@pytest.mark.parametrize("content_type", [None, "text/plain", "application/xml", "multipart/form-data; boundary=x"])
async def test_other_media_types_are_415_everywhere(
    unlimited_app: Litestar, as_boss: httpx.AsyncClient, boss: Person, content_type: str | None
) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    for each in reading(unlimited_app, JSON):
        response = await as_boss.request(each.method, each.url(user_id=str(boss.id)), content=b"{}", headers=headers)
        check(response, 415, "unsupported_media_type")
        named = response.headers["accept-patch" if each.method == "PATCH" else "accept-post"]
        assert JSON in named.split(", ")


@on_one_database
@pytest.mark.asvs("4.1.4", "13.4.4")
async def test_methods_that_a_route_lacks_are_405(unlimited_app: Litestar, as_boss: httpx.AsyncClient) -> None:
    methods = {"GET", "POST", "PUT", "PATCH", "DELETE"}
    for path in {each.path for each in operations(unlimited_app)}:
        known = {each.method for each in operations(unlimited_app) if each.path == path}
        url = next(each.url() for each in operations(unlimited_app) if each.path == path)
        answers_head = "GET" in known and path != STREAM
        allow = sorted(known | {"OPTIONS"} | ({"HEAD"} if answers_head else set()))
        for method in (*sorted(methods - known), "TRACE", "BREW"):
            response = await as_boss.request(method, url)
            check(response, 405, "method_not_allowed")
            assert response.headers["allow"] == ", ".join(allow)
        options = await as_boss.options(url)
        assert (options.status_code, options.headers["allow"]) == (204, ", ".join(allow))


def typed_parameters(operation: Operation, word: str) -> list[str]:
    """Those in the query whose values are more than text, and that this word does not fit."""
    path = operation.path.replace(":str}", "}").replace(":uuid}", "}").replace(":int}", "}")
    found: list[str] = []
    for parameter in DOCUMENT["paths"].get(path, {}).get(operation.method.lower(), {}).get("parameters", []):
        schema = parameter["schema"].get("items", parameter["schema"])
        is_text = schema.get("type") == "string" and not schema.keys() & {"enum", "const", "format", "pattern"}
        if parameter["in"] == "query" and not is_text and not re.search(schema.get("pattern", "(?!)"), word):
            found.append(parameter["name"])
    return found


@on_one_database
@pytest.mark.parametrize("word", ["null", "NULL", "None", "NaN", "-Infinity", "1e3", "+1", " 1", "\uff11", "yes", ""])
async def test_no_word_stands_for_another_value(
    unlimited_app: Litestar, as_boss: httpx.AsyncClient, boss: Person, word: str
) -> None:
    asked = 0
    for each in operations(unlimited_app):
        for name in typed_parameters(each, word) if each.method == "GET" else ():
            if name in {"cursor", "channels", "ticket", "last_event_id"}:  # they have answers of their own
                continue
            response = await as_boss.get(each.url(user_id=str(boss.id)), params={name: word})
            check(response, 422, "validation_failed")
            assert [error["parameter"] for error in response.json()["errors"]] == [name]
            asked += 1
    assert asked > 50


def _asked(url: str, query: str) -> str:
    return f"{url}{'&' if '?' in url else '?'}{query}"


UNKNOWN = (400, "unknown_parameter")
INVALID = (422, "validation_failed")


@on_one_database
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("unknown=1", UNKNOWN),
        ("%00=1", UNKNOWN),
        ("%ff=%ff", UNKNOWN),
        ("sort%5B%24ne%5D=1", UNKNOWN),
        ("&".join(f"p{n}=1" for n in range(3_000)), UNKNOWN),
        ("page=%00", INVALID),
        ("page=%ff", INVALID),
        ("page=0", INVALID),
        ("page=-1", INVALID),
        (f"page={10**30}", INVALID),
        (f"page={'9' * 10_000}", INVALID),
        ("page=NaN", INVALID),
        ("page=1&page=2", INVALID),
        ("page_size=0", INVALID),
        ("page_size=101", INVALID),
        (f"page_size={2**63}", INVALID),
        ("include_total=perhaps", INVALID),
        ("sort=password_hash", INVALID),
        ("sort=", INVALID),
        ("sort=name,name", INVALID),
        ("sort=name%00", INVALID),
        ("sort=name;drop table users", INVALID),
        ("sort=" + "name," * 500, INVALID),
        ("cursor=", (400, "invalid_cursor")),
        ("cursor=%00", (400, "invalid_cursor")),
        ("cursor=not-one", (400, "invalid_cursor")),
        ("cursor=é", (400, "invalid_cursor")),
        ("cursor=" + "A" * 20_000, (400, "invalid_cursor")),
    ],
)
async def test_every_list_refuses_this_query(
    unlimited_app: Litestar, as_boss: httpx.AsyncClient, query: str, expected: tuple[int, str]
) -> None:
    lists = [
        each
        for each in operations(unlimited_app)
        if "page" in each.rules.query.parameters
        and ("sort" in each.rules.query.parameters or not query.startswith("sort"))
        and not (query.startswith("cursor") and "{" in each.path)  # there is no list of what does not exist
    ]
    assert len(lists) >= 2
    for each in lists:
        check(await as_boss.get(_asked(each.url(), query)), *expected)


@on_one_database
@pytest.mark.parametrize("query", ["unknown=1", "%00=", "a=b&c=d"])
async def test_every_route_refuses_unknown_parameters(
    unlimited_app: Litestar, as_boss: httpx.AsyncClient, query: str
) -> None:
    passed_on: set[str] = set()
    for each in operations(unlimited_app):
        response = await as_boss.request(each.method, _asked(each.url(), query))
        if each.rules.query.ignores_unknown:
            passed_on.add(each.path)
            assert response.status_code != 400
        else:
            check(response, *UNKNOWN)
    assert {path for path in passed_on if path.startswith("/api/")} == {
        "/api/v1/feed.atom",
        "/api/v1/notifications/unsubscribe",
    }


@pytest.mark.parametrize("segment", ["%00", "%ff", "%ed%a0%80", "%zz", "%", "..", "x" * 10_000, "'", "1", "-1", "null"])
async def test_ids_that_are_none_are_404(unlimited_app: Litestar, as_boss: httpx.AsyncClient, segment: str) -> None:
    for each in operations(unlimited_app):
        if ":uuid}" in each.path:
            url = "/".join(segment if "{" in part else part for part in each.path.split("/"))
            response = await as_boss.request(each.method, url)
            if segment not in response.request.url.path and segment == "..":
                continue  # the client itself has made another route of it
            assert response.status_code in {404, 405}, url
            assert response.headers["content-type"] == "application/problem+json"


@on_one_database
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("If-Match", "nonsense"),
        ("If-Match", '"' + "9" * 20_000 + '"'),
        ("If-Match", "\xff\x00".encode("latin-1")),
        ("Idempotency-Key", ""),
        ("Idempotency-Key", "x" * 256),
        ("Idempotency-Key", "schlüssel".encode()),
        ("Idempotency-Key", "tab\there"),
        ("Authorization", "Bearer"),
        ("Authorization", "Bearer \xff".encode("latin-1")),
        ("Authorization", "Bearer " + "x" * 20_000),
        ("Authorization", "Negotiate YII="),
        ("Accept", "x" * 20_000),
        ("Accept", "," * 20_000),
        ("Accept", ";q=" * 5_000),
        ("Host", "exa mple"),
        ("Host", "x" * 20_000),
        ("Host", ""),
        ("Content-Length", "0"),
        ("Cookie", "=;=;" * 5_000),
        ("Range", "bytes=0-0,-1,x"),
        ("Forwarded", 'for="[::1'),
        ("X-Forwarded-For", "," * 1_000),
        ("If-None-Match", "\xff,".encode("latin-1") * 5_000),
        ("X-Anything", "x" * 40_000),
    ],
)
async def test_odd_headers_are_no_server_errors(
    unlimited_app: Litestar, as_boss: httpx.AsyncClient, boss: Person, name: str, value: str | bytes
) -> None:
    raw = value if isinstance(value, bytes) else value.encode()
    quiet = [
        each for each in operations(unlimited_app) if each.method in {"GET", "PATCH"} or each.path.endswith("/roles")
    ]
    for each in quiet:
        response = await as_boss.request(
            each.method, each.url(user_id=str(boss.id)), content=None, headers=[(name.encode(), raw)]
        )
        assert response.status_code < 500 or each.path == "/health/ready", f"{each} {response.text}"
        if response.status_code >= 400:
            assert response.headers["content-type"] == "application/problem+json"


async def test_the_database_is_unharmed_afterwards(as_boss: httpx.AsyncClient) -> None:
    """Nothing above has left a lock, a broken connection or a row behind."""
    replies = await asyncio.gather(*[as_boss.get("/api/v1/users") for _ in range(20)])

    assert {reply.status_code for reply in replies} == {200}
    assert replies[0].json()["total"] == 1
