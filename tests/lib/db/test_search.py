"""How texts become tokens, before any database sees them. What is found by them: tests/domain/posts/test_search.py."""

import sys

from app.lib.db.search import NOTHING, label_query, search_document, search_query, search_tokens

TOKENS = {
    "": [],
    " \n\t ": [],
    "One, two; THREE! one": ["one", "two", "three"],
    "under_score a-b": ["under", "score", "a", "b"],
    "Zoë zoe\u0308 ZOE": ["zoe"],
    "Straße Łódź Ørsted": ["strasse", "lodz", "orsted"],
    "İstanbul": ["istanbul"],
    "ﬁ ² ①": ["fi", "2", "1"],
    "각 \u1100\u1161\u11a8": ["각"],
    "東京都": ["東", "京", "都", "東京", "京都", "東京都"],
    "क्षत्रिय हिन्दी": ["क्षत्रिय", "हिन्दी"],
    "كِتَابٌ": ["كتاب"],
    "🌊⛵": ["🌊", "⛵"],
    "\u0301": [],
    "x" * 65: ["x" * 64, "x"],
}


def test_texts_become_folded_tokens() -> None:
    assert {text: list(search_tokens(text)) for text in TOKENS} == TOKENS


def test_queries_ask_for_the_longest_parts() -> None:
    assert search_query("東京都庁 Tower") == "東京都 京都庁 tower"
    assert [search_query(q) for q in ("東京", "東", "?")] == ["東京", "東", NOTHING]
    assert [label_query(label) for label in ("a-b", "A", "a'b", "a b")] == ["#a-b", NOTHING, NOTHING, NOTHING]


def test_no_token_can_leave_its_quotes() -> None:
    everything = "".join(chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code < 0xE000)

    assert not set("'\"\\#=") & {character for token in search_tokens(everything) for character in token}


def test_folding_tokens_again_changes_nothing() -> None:
    tokens = set(search_tokens("Ǆ ŉ ẞ ϓ ﷺ Ⅷ Ω K Å ₨ ㍿ ΐ ø"))

    assert set(search_tokens(" ".join(tokens))) == tokens


def test_tokens_of_a_row_have_a_bound() -> None:
    text = "".join(chr(0x4E00 + (i * i * 7 + i // 20_000) % 20_000) for i in range(100_000))
    document = search_document("Title", text, labels=["sea"])

    assert document.startswith("#sea title ")
    assert 500_000 < len(document.replace(" ", "").encode()) <= 600_100
