"""Hostile input: it is answered as the contract says, and at once."""

import json
from typing import Any

import httpx

from tests.domain.accounts.answers import field_errors
from tests.domain.posts.writing import FEED, LATER, POSTS, TAGS, draft, titles, write

BOMBS = {
    "quotes": "> " * 50_000,
    "brackets": "[" * 100_000,
    "lists": "1. a\n" * 20_000,
    "elements": "<div>" * 20_000,
    "accents": "a" + "\u0301" * 99_999,
    "ligatures": "\ufdfa" * 100_000,
    "one word": "x" * 100_000,
    "words": "a " * 50_000,
    "empty lines": "\n" * 100_000,
    "astral": "\U0001f600" * 100_000,
}


async def test_paths_that_are_no_slug_are_not_found(calls: httpx.AsyncClient) -> None:
    """A slash makes another route, which takes no PATCH either; what is no text at all is malformed."""
    await write(calls, "a b")
    paths = ["a/b", "a%2Fb", "..%2Fusers", "%2e%2e", "a%00b", "%ff", "a%20b", "A", "-a", "%E2%80%AEa", "a;b", "*"]
    for path in [*paths, "x" * 101, "x" * 5_000, "no-such-post", "%F0%9F%8C%8A"]:
        for method, body in (("GET", None), ("PATCH", {"title": "x"}), ("DELETE", None)):
            answer = await calls.request(method, f"{POSTS}/{path}", json=body)
            assert answer.status_code in ({404} if "%" not in path else {400, 404}), path
    assert await titles(calls) == ["a b"]


async def test_long_contents_are_kept_as_they_are(calls: httpx.AsyncClient, client: httpx.AsyncClient) -> None:
    for content in (each[:100_000] for each in BOMBS.values()):
        post = await write(calls, content=content)
        shown = (await client.get(f"{POSTS}/{post['slug']}")).json()

        assert shown["content"] == content
        assert len(shown["excerpt"]) <= 500
        assert (await calls.patch(f"{POSTS}/{post['id']}", json={"content": content[1:]})).status_code == 200


async def test_the_longest_post_is_taken_however_it_is_written(calls: httpx.AsyncClient) -> None:
    """With all metadata that is allowed, and each character as two escapes, as many libraries write them."""
    metadata = {f"{number:02}" + "\U0001f600" * 38: "\U0001f600" * 500 for number in range(50)}
    content = json.dumps({"title": "Long", "content": "\U0001f600" * 100_000, "metadata": metadata})
    created = await calls.post(POSTS, content=content, headers={"Content-Type": "application/json"})

    assert created.status_code == 201
    assert created.json()["metadata"] == metadata


async def test_one_character_too_many(calls: httpx.AsyncClient) -> None:
    """Characters, and neither bytes nor UTF-16."""
    for character in ("x", "\u05d0", "\U0001f600"):
        body = {"title": "Long", "content": character * 100_000}
        assert (await calls.post(POSTS, json=body)).status_code == 201
        body["content"] += character
        assert field_errors(await calls.post(POSTS, json=body)) == {"/content": "too_long"}


async def test_ten_thousand_tags(calls: httpx.AsyncClient, client: httpx.AsyncClient) -> None:
    many = [f"t{number}" for number in range(10_000)]
    post = await write(calls, tags=many[:10])

    assert field_errors(await calls.patch(f"{POSTS}/{post['id']}", json={"tags": many})) == {"/tags": "too_long"}
    assert field_errors(await calls.patch(f"{POSTS}/{post['id']}", json={"tags": many[:11]})) == {"/tags": "too_long"}
    refused = await client.get(POSTS, params={"tag": many[:1_000]})
    assert refused.status_code == 422
    assert field_errors(refused) == {"tag": "too_long"}
    assert len((await client.get(TAGS)).json()["items"]) == 10


async def test_parameters_out_of_bounds_are_refused(client: httpx.AsyncClient) -> None:
    queries = [
        ("q", "word " * 1_000),
        ("q", "a\0b"),
        ("q", "x" * 201),
        ("published_after", "9999-12-31T23:59:60Z"),
        ("published_before", "+10000-01-01T00:00:00Z"),
        ("author_id", "x" * 10_000),
        ("tag", "x" * 41),
    ]
    for name, value in queries:
        answer = await client.get(POSTS, params={name: value})
        assert (answer.status_code, set(field_errors(answer))) == (422, {name})


async def test_ten_thousand_words_do_not_fit_into_a_head(client: httpx.AsyncClient) -> None:
    assert (await client.get(POSTS, params={"q": "word " * 10_000})).status_code == 431


async def test_no_query_is_an_operator_or_an_error(calls: httpx.AsyncClient, client: httpx.AsyncClient) -> None:
    await write(calls, "Or near and title words")
    queries = [
        "\u202eabc", "' OR 1=1 --", "a & !b | (c:*", "a* NEAR(b)", '"', "%_%", "search:a", "\\", "{a b}:c", "'", "''",
        "^a", "-a", "\ud7ff\ue000", "\U0010ffff", "\u0301" * 200, "\ufdfa" * 200, "a " * 100, "()" * 100,
        "".join(chr(0x4E00 + i) for i in range(200)),
    ]  # fmt: skip
    for q in queries:
        for sort in ("-published_at", "-relevance"):
            answer = await client.get(POSTS, params={"q": q, "sort": sort})
            assert (answer.status_code, answer.json().get("items")) == (200, []), q


async def test_no_instant_is_out_of_bounds(calls: httpx.AsyncClient) -> None:
    post = await draft(calls)
    url = f"{POSTS}/{post['id']}"
    for at in ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59.999999Z", "0001-01-01T00:00:00Z", "10000-01-01", 5):
        attempts: list[tuple[str, str, dict[str, Any], str]] = [
            ("POST", POSTS, {"title": "T", "content": "", "published_at": at}, "/published_at"),
            ("PATCH", url, {"published_at": at}, "/published_at"),
            ("POST", f"{url}/publish", {"published_at": at}, "/published_at"),
        ]
        for method, target, body, pointer in attempts:
            assert set(field_errors(await calls.request(method, target, json=body))) == {pointer}
    assert (await calls.get(url)).json() == post


async def test_filters_reach_to_the_end_of_time(calls: httpx.AsyncClient, client: httpx.AsyncClient) -> None:
    """Drafts lie at the end of it, and are not found there."""
    await draft(calls)
    await write(calls, "Now")
    last = "9999-12-31T23:59:59.999999Z"

    assert await titles(client, published_before=last) == ["Now"]
    assert await titles(client, published_after=last) == []
    assert await titles(client, published_after="0001-01-01T00:00:00Z") == ["Now"]
    assert await titles(calls, mine="true", published_before=last) == ["Now"]


async def test_text_from_right_to_left_stays_text(calls: httpx.AsyncClient, client: httpx.AsyncClient) -> None:
    title = "שלום hello مرحبا"
    post = await write(
        calls, title, content="\u05e9\u05dc\u05d5\u05dd \u200fhello\u200e", tags=["a"], published_at=None
    )

    assert post["title"] == title
    for word in ("שלום", "HELLO", "مرحبا"):
        assert await titles(client, q=word) == [title]
    assert title in (await client.get(FEED)).text
    for control in ("\u202e", "\u2066", "\0", "\x1b", "\u2028", "\x7f"):
        refused = await calls.post(POSTS, json={"title": f"a{control}b", "content": "", "published_at": LATER})
        assert field_errors(refused) == {"/title": "invalid_format"}
