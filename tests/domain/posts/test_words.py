"""How texts become words, before any database sees them."""

import pytest

from app.domain.posts.words import MAX_BYTES, MAX_WORD, words_of


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ""),
        (" \n\t ", ""),
        ("One, two; THREE!", "one two three"),
        ("under_score a-b", "under score a b"),
        ("Zoë zoe\u0308 ZOE", "zoe zoe zoe"),
        ("Straße STRASSE", "strasse strasse"),
        ("İstanbul", "istanbul"),
        ("ﬁ ² ①", "fi 2 1"),
        ("각 \u1100\u1161\u11a8", "각 각"),
        ("🌊⛵", ""),
        ("\u0301", ""),
        ("x" * (MAX_WORD + 1), "x" * MAX_WORD + " x"),
    ],
)
def test_words(text: str, words: str) -> None:
    assert words_of(text) == words


def test_words_are_words_of_themselves() -> None:
    words = words_of("Ǆ ŉ ẞ ϓ ﷺ Ⅷ Ω K Å ₨ ㍿ ΐ")

    assert words_of(words) == words


def test_there_is_a_limit_to_them() -> None:
    assert len(words_of("\U0001e900 " * MAX_BYTES).encode()) <= MAX_BYTES
