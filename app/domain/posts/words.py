"""Words as both databases look for them: folded here, so that neither has a say in what a letter is."""

import re
import unicodedata
from collections.abc import Iterator

MAX_WORD = 64
MAX_BYTES = 300_000
"""Of the words of one text; PostgreSQL's index takes less than a megabyte of them, positions included."""

_CHUNK = re.compile(r"\S{1,256}")  # normalising takes quadratic time for hostile input, so it gets little at a time
_ACCENTS = re.compile(r"[\u0300-\u036f]+")
_WORD = re.compile(rf"[^\W_]{{1,{MAX_WORD}}}")


def words_of(text: str) -> str:
    """The words of a text in their order, with single spaces between them; empty when there is none.

    Letters and digits of any script, without case, accents and compatibility variants: what is found by a word is
    found by each of its spellings. Everything else, wildcards and operators included, only separates words.
    """
    words: list[str] = []
    left = MAX_BYTES
    for word in _words(text):
        left -= len(word.encode()) + 1
        if left < 0:
            break
        words.append(word)
    return " ".join(words)


def _words(text: str) -> Iterator[str]:
    if text.isascii():
        yield from _WORD.findall(text.lower())
        return
    for chunk in _CHUNK.findall(text):
        yield from _WORD.findall(chunk.lower() if chunk.isascii() else _fold(chunk))


def _fold(text: str) -> str:
    for _ in range(2):  # folding case may bring new accents
        text = _ACCENTS.sub("", unicodedata.normalize("NFKD", text)).casefold()
    return unicodedata.normalize("NFKC", text)
