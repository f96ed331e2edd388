"""Words as both databases look for them: folded here, so that neither has a say in what a letter is."""

import re
import unicodedata
from collections.abc import Iterator
from typing import Literal

Form = Literal["NFC", "NFD", "NFKC", "NFKD"]
MAX_WORD = 64
MAX_BYTES = 420_000
"""Of the words of one text: 100 000 letters have room. PostgreSQL's index takes less than a megabyte of them, positions
included.
"""

_CHUNK = re.compile(r"\S{1,256}")  # normalising takes quadratic time for hostile input, so it gets little at a time
_VOICED = frozenset("\u3099\u309a")
"""Marks that make another letter of a Japanese one, and no accents."""
_WORD = re.compile(rf"[^\W_]{{1,{MAX_WORD}}}")


def words_of(text: str) -> str:
    """The words of a text in their order, with single spaces between them; empty when there is none.

    Letters and digits of any script, without case, combining marks (accents, vowel points) and compatibility variants:
    what is found by a word is found by each of its spellings. Everything else, wildcards and operators included, only
    separates words. A long text of variants that each stand for many letters keeps them as they are, so that its end
    is found, too.
    """
    words, is_whole = _within_bounds(_words(text, "NFKD", "NFKC"))
    if not is_whole:
        words, _ = _within_bounds(_words(text, "NFD", "NFC"))
    return " ".join(words)


def _within_bounds(words: Iterator[str]) -> tuple[list[str], bool]:
    """As many as may be, and whether these are all."""
    kept: list[str] = []
    left = MAX_BYTES
    for word in words:
        left -= len(word.encode()) + 1
        if left < 0:
            return kept, False
        kept.append(word)
    return kept, True


def _words(text: str, apart: Form, together: Form) -> Iterator[str]:
    if text.isascii():
        yield from _WORD.findall(text.lower())
        return
    for chunk in _CHUNK.findall(text):
        yield from _WORD.findall(chunk.lower() if chunk.isascii() else _fold(chunk, apart, together))


def _fold(text: str, apart: Form, together: Form) -> str:
    for _ in range(2):  # folding case may bring new marks
        text = "".join(filter(_is_no_mark, unicodedata.normalize(apart, text))).casefold()
    return unicodedata.normalize(together, text)


def _is_no_mark(character: str) -> bool:
    return unicodedata.category(character) != "Mn" or character in _VOICED
