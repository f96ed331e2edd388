"""Full text: the same words find the same posts on both databases."""
# ruff: noqa: RUF001 - letters of other scripts are what is tested

import asyncio
from typing import Any

import httpx
import pytest
from litestar import Litestar

from tests.domain.accounts.answers import field_errors
from tests.domain.posts.writing import POSTS, draft, titles, write
from tests.support.people import People

LIBRARY = {
    "Harbour": "The *harbour* of Genoa has 3 piers. Contact: ada@example.com, https://example.com/a-b_c",
    "Straße": "Die STRASSE führt ans Meer. Café crème, naïve Œuvre.",
    "Percent": "100% of under_scores, stars * and 'quotes' \"double\". AND OR NOT NEAR",
    "Versions": "Release 1.2.3 (build 0x1F, 1e5, 15a, a1b2) costs 3,50 — don't panic!",
    "海と船": "船 は 海 を 行く。 ﬁne ²",
    "Русский Язык": "Ёлка и море; ΣΊΣΥΦΟΣ",
    "كِتَابٌ": "שָׁלוֹם がぱ",
    "Empty": "",
}


async def library(calls: httpx.AsyncClient) -> None:
    for title, content in LIBRARY.items():
        await write(calls, title, content=content)


@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("harbour", ["Harbour"]),
        ("HARBOUR genoa", ["Harbour"]),
        ("genoa harbour piers 3", ["Harbour"]),
        ("harbour meer", []),
        ("harb", []),
        ("harb*", []),
        ("harb%", []),
        ("%", []),
        ("*", []),
        ("_", []),
        ("", []),
        ("   ", []),
        ("'\"():&|!<->", []),
        ("harbour OR meer", []),
        ("harbour | meer", []),
        ("-harbour", ["Harbour"]),
        ("!harbour", ["Harbour"]),
        ("title_words : harbour", []),
        ("or", ["Percent"]),
        ("near", ["Percent"]),
        ("and not or near", ["Percent"]),
        ("AND", ["Percent"]),
        ("100%", ["Percent"]),
        ("under_scores", ["Percent"]),
        ("scores", ["Percent"]),
        ('"quotes"', ["Percent"]),
        ("' OR 1=1 --", []),
        ("example.com", ["Harbour"]),
        ("ada@example.com", ["Harbour"]),
        ("ada", ["Harbour"]),
        ("strasse", ["Straße"]),
        ("straße", ["Straße"]),
        ("cafe CRÈME", ["Straße"]),
        ("naive", ["Straße"]),
        ("œuvre", ["Straße"]),
        ("1.2.3", ["Versions"]),
        ("3.2.1", ["Versions"]),
        ("1e5", ["Versions"]),
        ("0x1f", ["Versions"]),
        ("15a", ["Versions"]),
        ("A1B2", ["Versions"]),
        ("15", []),
        ("3", ["Versions", "Harbour"]),
        ("don't", ["Versions"]),
        ("船", ["海と船"]),
        ("海", ["海と船"]),
        ("海と船", ["海と船"]),
        ("fine 2", ["海と船"]),
        ("ﬁne", ["海と船"]),
        ("елка МОРЕ", ["Русский Язык"]),
        ("язык", ["Русский Язык"]),
        ("σίσυφος", ["Русский Язык"]),
        ("كتاب", ["كِتَابٌ"]),
        ("كِتَابُ", ["كِتَابٌ"]),
        ("שלום", ["كِتَابٌ"]),
        ("がぱ", ["كِتَابٌ"]),
        ("かは", []),
        ("the of", ["Harbour"]),
        ("x" * 200, []),
    ],
)
async def test_all_words_have_to_be_there(calls: httpx.AsyncClient, q: str, found: list[str]) -> None:
    await library(calls)
    page = (await calls.get(POSTS, params={"q": q})).json()

    assert [post["title"] for post in page["items"]] == found
    assert page["total"] == len(found)


async def test_what_is_in_the_title_counts_more(calls: httpx.AsyncClient) -> None:
    await write(calls, "The lighthouse", content="Tall.")
    await write(calls, "Elsewhere", content="A lighthouse is mentioned, among many other things that fill the page.")
    await write(calls, "Nothing", content="at all")

    assert await titles(calls, q="lighthouse") == ["Elsewhere", "The lighthouse"]
    assert await titles(calls, q="lighthouse", sort="-relevance") == ["The lighthouse", "Elsewhere"]
    assert await titles(calls, q="lighthouse", sort="relevance") == ["Elsewhere", "The lighthouse"]


async def test_relevance_is_walked_by_cursor(calls: httpx.AsyncClient) -> None:
    for number in range(7):
        await write(calls, f"Boat {number}", content="boat " * (number % 3))
    query: dict[str, Any] = {"q": "boat", "sort": "-relevance", "page_size": 2}
    whole = await titles(calls, **{**query, "page_size": 100})
    page = (await calls.get(POSTS, params=query)).json()
    found = [post["title"] for post in page["items"]]
    while page["next_cursor"]:
        page = (await calls.get(POSTS, params={**query, "cursor": page["next_cursor"]})).json()
        found += [post["title"] for post in page["items"]]

    assert len(whole) == 7
    assert found == whole


async def walk(calls: httpx.AsyncClient, between: Any, **query: Any) -> list[str]:
    """Titles by cursor; ``between`` two pages something happens."""
    page = (await calls.get(POSTS, params=query)).json()
    found = [post["title"] for post in page["items"]]
    for number in range(60):
        if page["next_cursor"] is None:
            return found
        await between(number)
        page = (await calls.get(POSTS, params={**query, "cursor": page["next_cursor"]})).json()
        found += [post["title"] for post in page["items"]]
    raise AssertionError("The walk has no end.")


@pytest.mark.parametrize("count", [15, 30])
async def test_a_walk_by_relevance_is_complete_whoever_writes(
    calls: httpx.AsyncClient, client: httpx.AsyncClient, count: int
) -> None:
    named = [f"Boat {number}" for number in range(count)]
    for number, title in enumerate(named):
        await write(calls, title, content="boat " * (number % 4) + "sea " * number)

    async def others_write(number: int) -> None:
        await write(calls, f"Draft {number}", content="boat sea " * 30, is_published=False)
        await write(calls, f"New {number}", content="boat boat", is_published=True)

    found = await walk(client, others_write, q="boat", sort="-relevance", page_size=2)

    assert sorted(title for title in found if title.startswith("Boat")) == sorted(named)
    assert len(set(found)) == len(found)


async def test_relevance_tells_nothing_of_drafts(
    calls: httpx.AsyncClient, client: httpx.AsyncClient, people: People
) -> None:
    await write(calls, "One", content="anchor sails")
    await write(calls, "Two", content="anchor anchor")
    await write(calls, "Three", content="sails sails sails")
    before = [await titles(client, q="anchor sails", sort="-relevance"), await titles(client, q="sails")]
    orders = [await titles(client, q=q, sort="-relevance") for q in ("anchor", "sails", "anchor sails")]
    async with people.client(await people.create()) as other:
        for number in range(12):
            await draft(other, f"Secret {number}", content="anchor " * 20)

    assert [await titles(client, q=q, sort="-relevance") for q in ("anchor", "sails", "anchor sails")] == orders
    assert before == [await titles(client, q="anchor sails", sort="-relevance"), await titles(client, q="sails")]


async def test_relevance_needs_words(calls: httpx.AsyncClient) -> None:
    assert field_errors(await calls.get(POSTS, params={"sort": "-relevance"})) == {"sort": "invalid_choice"}
    assert await titles(calls, sort="-relevance", q="?") == []


async def test_the_index_follows_the_texts(calls: httpx.AsyncClient, app: Litestar) -> None:
    kept = await write(calls, "Kept", content="anchor")
    post = await write(calls, "Anchors", content="rope")
    url = f"{POSTS}/{post['id']}"

    assert await titles(calls, q="anchors rope") == ["Anchors"]
    await calls.patch(url, json={"content": "chain"})
    assert await titles(calls, q="rope") == []
    assert await titles(calls, q="chain") == ["Anchors"]
    await calls.patch(url, json={"title": "Chains"})
    assert await titles(calls, q="anchors") == []
    await calls.post(f"{url}/unpublish")
    assert await titles(calls, q="chain") == []
    await calls.post(f"{url}/publish")
    assert await titles(calls, q="chains") == ["Chains"]
    await calls.delete(url)
    assert await titles(calls, q="chain") == []
    again = await write(calls, "Again", content="chain")
    assert await titles(calls, q="chain") == [again["title"]]
    assert await titles(calls, q="anchor") == [kept["title"]]


async def test_long_and_hostile_texts_are_indexed_in_bounds(calls: httpx.AsyncClient) -> None:
    texts = {
        "Accents": "a" + "\u0301" * 50_000 + "\u05b0\u05b1" * 20_000,
        "Ligatures": "".join(f"{chr(0x4E00 + i % 20_000)}\ufdfa" for i in range(50_000)),
        "One word": "x" * 100_000,
        "Many words": " ".join(f"w{i}" for i in range(15_000)),
        "Brackets": "[" * 50_000,
        "Quotes": "> " * 40_000,
        "Stars": "*a **b " * 10_000,
        "Squared": "".join(chr(0x3300 + i % 88) for i in range(98_980)) + " squaredend",
        "Far away": "𐎀" * 98_980 + " farend",
    }
    await asyncio.gather(*[write(calls, title, content=content) for title, content in texts.items()])

    for title in texts:
        assert await titles(calls, q=title) == [title]
    assert await titles(calls, q="w14999 w0") == ["Many words"]
    assert await titles(calls, q="squaredend") == ["Squared"]
    assert await titles(calls, q="farend") == ["Far away"]


async def test_drafts_are_found_by_their_authors_only(calls: httpx.AsyncClient, client: httpx.AsyncClient) -> None:
    await draft(calls, "Hidden treasure")

    assert await titles(calls, q="treasure") == await titles(client, q="treasure") == []
    assert await titles(calls, q="treasure", mine=True) == ["Hidden treasure"]
