"""Takes secrets out of text that others wrote: messages of exceptions, and records of libraries.

What the settings hold is known by its value, and however it is written: in a URL, in JSON, as ``repr`` shows text and
bytes, in HTML, in hexadecimal digits, and in base64 (a header with a password) with what stands before it.
"""

import html
import json
import re
from base64 import b64encode
from collections.abc import Iterable, Iterator
from functools import lru_cache

MASK = "********"

SHORTEST = 6
"""Characters of a secret that is masked: a shorter one is in half of all words."""

# Password hashes, JWTs, and what PostgreSQL and its driver quote of a row or a value.
_ALWAYS = re.compile(
    r"\$argon2\w*\$[\w$=,+/.-]+|\beyJ[\w-]{5,}\.[\w-]+\.[\w-]*|(?<=DETAIL:  ).+|(?<=query argument \$).+(?= \()"
)
_PLAIN = re.compile(r"[A-Za-z0-9]")
_BACKSLASHES = r"(?:\\|%(?:25)?5c){1,8}"  # more than one in text that is escaped twice
_IN_BASE64 = {"+": "(?:[+-]|%2[Bb])", "/": r"(?:\\?/|_|%2[Ff])"}


class _Hidden:
    """What the process keeps secret."""

    secrets: frozenset[str] = frozenset()


def hide(secrets: Iterable[str]) -> None:
    """From now on these are masked, and no others."""
    _Hidden.secrets = frozenset(each for each in secrets if len(each) >= SHORTEST)


def mask(text: str) -> str:
    """The text without secrets."""
    return _pattern(_Hidden.secrets).sub(MASK, _ALWAYS.sub(MASK, text))


@lru_cache(maxsize=1)
def _pattern(secrets: frozenset[str]) -> re.Pattern[str]:
    """Made when it is needed: it takes some milliseconds. The longer goes before what it contains."""
    longest_first = sorted(secrets, key=len, reverse=True)
    return re.compile("|".join(each for text in longest_first for each in _spellings(text)) or r"(?!)")


def _spellings(text: str) -> Iterator[str]:
    """Patterns of all the ways to write it."""
    yield "".join(map(_spelling, text))
    data = text.encode(errors="replace")
    yield f"(?i:{data.hex()})"
    for before in range(3):  # where it begins among the three bytes that are four characters
        encoded = b64encode(bytes(before) + data).decode()
        own = encoded[-(-before * 8 // 6) : (before + len(data)) * 8 // 6]
        yield "".join(_IN_BASE64.get(char, char) for char in own)


def _spelling(char: str) -> str:
    """A pattern of all the ways to write a character. Letters and digits have one, which keeps the search fast."""
    if _PLAIN.fullmatch(char):
        return char
    data, code = char.encode(errors="replace"), ord(char)
    quoted = "".join(f"%{byte:02x}" for byte in data)
    written = {char, quoted, quoted.replace("%", "%25"), html.escape(char), f"&#{code};"}
    written |= {"+", "%2b"} if char == " " else set()
    escaped = {json.dumps(char)[1:-1], repr(char)[1:-1], repr(data)[2:-1]}
    escaped |= {f"\\x{code:02x}", f"\\u{code:04x}", f"\\U{code:08x}"}
    patterns = {re.escape(each.lstrip("\\") or each).replace(r"\\", _BACKSLASHES) for each in written | escaped}
    return rf"(?i:(?:{_BACKSLASHES})?(?:{'|'.join(sorted(patterns, key=len, reverse=True))}))"
