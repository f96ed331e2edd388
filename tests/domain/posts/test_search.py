"""Full text: the same words find the same posts on both databases."""
# ruff: noqa: RUF001 - letters of other scripts are what is tested

import asyncio
from typing import Any

import httpx
from litestar import Litestar

from tests.domain.accounts.answers import field_errors
from tests.domain.posts.writing import POSTS, draft, titles, write
from tests.support.people import People

TEXTS = {
    "Harbour": "The *harbour* of Genoa has 3 piers. Contact: ada@example.com, https://example.com/a-b_c",
    "Umlauts": "Die STRASSE führt über Łódź ans Meer. Café crème, naïve Œuvre, Ørsted.",
    "Operators": "100% of under_scores, stars * and 'quotes' \"double\" (a|b) & !c. AND OR NOT NEAR",
    "Versions": "Release 1.2.3 (build 0x1F, 1e5, 15a, a1b2) costs 3,50 — don't panic! ﬁne ²",
    "日本語": "船は海を行く。東京タワーとﾎﾃﾙ。がぱ、カ\u3099ム。iPhoneを買う",
    "半角": "ｶﾞﾗｽ ｺｯﾌﾟ ﾊﾟﾝ",
    "全角": "ガラス工場でコップとパンを買う",
    "中文": "人工智能与机器学习是計算機科學的分支。",
    "ภาษาไทย": "น้ำตกอยู่ในป่าใหญ่ การเดินทางไกล",
    "한국어": "데이터베이스에서 학교까지, \u1100\u1161\u11a8의 책",
    "हिन्दी": "क्षत्रिय और विद्यार्थी की किताब",
    "العربية": "كِتَابٌ جميل، می‌خواهم",
    "עברית": "שָׁלוֹם עולם",
    "Русский": "Ёлка и море; ΣΊΣΥΦΟΣ",
    "Emoji": "Sailing 🌊⛵ with 👩🏽‍💻 to 🇯🇵",
    "Mixed": "Docker で動く PostgreSQL 데이터 पुस्तक",
    "Empty": "",
}
CASES: list[tuple[str, list[str]]] = [
    # Latin: whole words, all of them, in any order.
    ("harbour", ["Harbour"]),
    ("HARBOUR genoa", ["Harbour"]),
    ("genoa harbour piers 3", ["Harbour"]),
    ("the of", ["Harbour"]),
    ("ada@example.com", ["Harbour"]),
    ("example.com", ["Harbour"]),
    ("harbour meer", []),
    ("harb", []),
    ("harbours", []),
    ("don't", ["Versions"]),
    ("1.2.3", ["Versions"]),
    ("3.2.1", ["Versions"]),
    ("0x1f 1e5", ["Versions"]),
    ("15", []),
    ("3", ["Versions", "Harbour"]),
    ("fine 2", ["Versions"]),
    # Half-width letters and their separate voice marks are the full-width ones.
    ("ｶﾞﾗｽ", ["全角", "半角"]),
    ("ガラス", ["全角", "半角"]),
    ("コップ", ["全角", "半角"]),
    ("ﾊﾟﾝ", ["全角", "半角"]),
    ("ﾊﾝ", []),
    # Case and diacritics.
    ("strasse", ["Umlauts"]),
    ("straße", ["Umlauts"]),
    ("cafe CRÈME", ["Umlauts"]),
    ("naive uber", ["Umlauts"]),
    ("u\u0308ber", ["Umlauts"]),
    ("œuvre", ["Umlauts"]),
    ("lodz orsted", ["Umlauts"]),
    ("ŁÓDŹ", ["Umlauts"]),
    # Wildcards and operators are text, or nothing.
    ("harb*", []),
    ("harb%", []),
    ("%", []),
    ("*", []),
    ("_", []),
    ("", []),
    ("   ", []),
    ("'\"():&|!<->=#", []),
    ("harbour OR meer", []),
    ("harbour | meer", []),
    ("harbour:*", ["Harbour"]),
    ("-harbour", ["Harbour"]),
    ("!harbour", ["Harbour"]),
    ("search : harbour", []),
    ("{title_search} : harbour", []),
    ("and not or near", ["Operators"]),
    ("100%", ["Operators"]),
    ("scores", ["Operators"]),
    ('"quotes"', ["Operators"]),
    ('"double" \'quotes', ["Operators"]),
    ("a & !b | (c:*", ["Operators", "Harbour"]),
    ("' OR 1=1 --", []),
    ("#sea", []),
    ("=harbour", ["Harbour"]),
    ("x" * 200, []),
    # Scripts without spaces: every part is found, longer ones as they stand.
    ("船", ["日本語"]),
    ("東京", ["日本語"]),
    ("京タワー", ["日本語"]),
    ("海を行く", ["日本語"]),
    ("ホテル", ["日本語"]),
    ("がぱ", ["日本語"]),
    ("かは", []),
    ("ガム", ["日本語"]),
    ("カム", []),
    ("東京ホテル", []),
    ("iphone", ["日本語"]),
    ("IPHONE を買", ["日本語"]),
    ("智能", ["中文"]),
    ("人工智能", ["中文"]),
    ("机器学习", ["中文"]),
    ("計算機 分支", ["中文"]),
    ("智工", []),
    ("น้ำตก", ["ภาษาไทย"]),
    ("ป่า", ["ภาษาไทย"]),
    ("เดินทาง", ["ภาษาไทย"]),
    ("ไทย", ["ภาษาไทย"]),
    ("ทะเล", []),
    # Korean: parts of compounds, and words with their particles.
    ("데이터베이스", ["한국어"]),
    ("베이스", ["한국어"]),
    ("데이터", ["Mixed", "한국어"]),
    ("학교", ["한국어"]),
    ("각", ["한국어"]),
    ("베이터", []),
    # Vowel signs and viramas do not split a word.
    ("हिन्दी", ["हिन्दी"]),
    ("क्षत्रिय", ["हिन्दी"]),
    ("विद्यार्थी किताब", ["हिन्दी"]),
    ("क", []),
    ("किता", []),
    ("पुस्तक", ["Mixed"]),
    # Vowel points may be there or not.
    ("كتاب", ["العربية"]),
    ("كِتَابُ", ["العربية"]),
    ("میخواهم", ["العربية"]),
    ("שלום", ["עברית"]),
    ("שָׁלוֹם עולם", ["עברית"]),
    ("елка МОРЕ", ["Русский"]),
    ("σίσυφος", ["Русский"]),
    # Symbols are words.
    ("🌊", ["Emoji"]),
    ("⛵ sailing", ["Emoji"]),
    ("👩‍💻", ["Emoji"]),
    ("🇯🇵", ["Emoji"]),
    ("🔥", []),
    ("docker 動く 데이터 पुस्तक", ["Mixed"]),
    ("postgresql で", ["Mixed"]),
]


async def test_each_query_finds_the_posts_that_have_all_its_words(calls: httpx.AsyncClient) -> None:
    for title, content in TEXTS.items():
        await write(calls, title, content=content, tags=["sea"])
    wrong = {}
    for q, expected in CASES:
        page = (await calls.get(POSTS, params={"q": q})).json()
        ranked = await titles(calls, q=q, sort="-relevance")
        found = [post["title"] for post in page["items"]]
        if (found, page["total"], sorted(ranked)) != (expected, len(expected), sorted(expected)):
            wrong[q] = (found, expected)

    assert wrong == {}


async def test_posts_with_the_words_in_their_title_are_more_relevant(calls: httpx.AsyncClient) -> None:
    await write(calls, "The lighthouse", content="Tall.")
    await write(calls, "Elsewhere", content="A lighthouse is mentioned, and a lighthouse again.")
    await write(calls, "Nothing", content="at all")

    assert await titles(calls, q="lighthouse") == ["Elsewhere", "The lighthouse"]
    assert await titles(calls, q="lighthouse", sort="-relevance") == ["The lighthouse", "Elsewhere"]
    assert await titles(calls, q="lighthouse", sort="relevance") == ["Elsewhere", "The lighthouse"]
    assert await titles(calls, q="?", sort="-relevance") == []
    for query in ({}, {"tag": "sea"}):
        refused = await calls.get(POSTS, params={"sort": "-relevance", **query})
        assert field_errors(refused) == {"sort": "invalid_choice"}


async def walk(calls: httpx.AsyncClient, between: Any, **query: Any) -> list[str]:
    """Titles by cursor; ``between`` runs between two pages."""
    page = (await calls.get(POSTS, params=query)).json()
    found = [post["title"] for post in page["items"]]
    for number in range(60):
        if page["next_cursor"] is None:
            return found
        await between(number)
        page = (await calls.get(POSTS, params={**query, "cursor": page["next_cursor"]})).json()
        found += [post["title"] for post in page["items"]]
    raise AssertionError("The walk has no end.")


async def test_a_walk_by_relevance_is_complete_while_others_write(
    calls: httpx.AsyncClient, client: httpx.AsyncClient
) -> None:
    """With as many matches as are ranked in the window, and with fewer."""
    for word, count in (("boat", 9), ("ship", 24)):
        named = [f"{word} {number}" if number % 3 else f"A {number}" for number in range(count)]
        for title in named:
            await write(calls, title, content=word)

        async def others_write(number: int, word: str = word) -> None:
            if number < 3:
                await write(calls, f"Draft {word} {number}", content=word, is_published=False)
                await write(calls, f"New {number}", content=word)

        found = await walk(client, others_write, q=word, sort="-relevance", page_size=4)

        assert sorted(title for title in found if not title.startswith("New")) == sorted(named)
        assert len(set(found)) == len(found)


async def test_relevance_says_nothing_about_drafts(
    calls: httpx.AsyncClient, client: httpx.AsyncClient, people: People
) -> None:
    for title, content in (("One", "anchor sails"), ("Two anchor", "sails"), ("Three sails", "anchor")):
        await write(calls, title, content=content)
    queries = ("anchor", "sails", "anchor sails")
    before = [await titles(client, q=q, sort="-relevance") for q in queries]
    async with people.client(await people.create()) as other:
        for number in range(5):
            await draft(other, f"Secret anchor {number}", content="sails " * 20)

    assert [await titles(client, q=q, sort="-relevance") for q in queries] == before


async def test_the_index_follows_the_texts(calls: httpx.AsyncClient, app: Litestar) -> None:
    kept = await write(calls, "Kept", content="anchor")
    post = await write(calls, "Anchors", content="rope", tags=["sea"])
    url = f"{POSTS}/{post['id']}"

    assert await titles(calls, q="anchors rope") == await titles(calls, q="rope", tag="sea") == ["Anchors"]
    await calls.patch(url, json={"content": "chain", "tags": ["land"]})
    assert await titles(calls, q="rope") == await titles(calls, tag="sea") == []
    assert await titles(calls, q="chain", tag="land") == ["Anchors"]
    await calls.patch(url, json={"title": "Chains"})
    assert await titles(calls, q="anchors") == []
    await calls.post(f"{url}/unpublish")
    assert await titles(calls, q="chain") == await titles(calls, tag="land") == []
    assert await titles(calls, q="chain", mine=True) == ["Chains"]
    await calls.post(f"{url}/publish")
    assert await titles(calls, q="chains") == ["Chains"]
    await calls.delete(url)
    assert await titles(calls, q="chain") == []
    again = await write(calls, "Again", content="chain")
    assert await titles(calls, q="chain") == [again["title"]]
    assert await titles(calls, q="anchor") == [kept["title"]]


async def test_long_and_hostile_texts_are_indexed_within_bounds(calls: httpx.AsyncClient) -> None:
    texts = {
        "Accents": "a" + "\u0301\u0316" * 25_000 + "\u05b0\u05b1" * 20_000,
        "Ligatures": "".join(f"{chr(0x4E00 + i % 20_000)}\ufdfa" for i in range(50_000)),
        "One word": "x" * 100_000,
        "Many words": " ".join(f"w{i}" for i in range(15_000)),
        "Squared": "".join(chr(0x3300 + i % 88) for i in range(98_980)) + " squaredend",
        "Far away": "𐎀" * 98_980 + " farend",
        "No end": "".join(chr(0x4E00 + (i * i * 7 + i // 20_000) % 20_000) for i in range(99_000)),
    }
    await asyncio.gather(*[write(calls, title, content=content) for title, content in texts.items()])

    for title in texts:
        assert await titles(calls, q=title) == [title]
    assert await titles(calls, q="w14999 w0") == ["Many words"]
    assert await titles(calls, q="squaredend") == ["Squared"]
    assert await titles(calls, q="farend") == ["Far away"]
