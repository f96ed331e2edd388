"""Schemas as generators of clients read them: patterns for ECMA-262, Go (RE2) and Rust, and the width of integers."""

import re
from typing import Any

_END = re.compile(r"\$\(\?!\\n\)$")
_ESCAPE = re.compile(r"\\u([0-9A-Fa-f]{4})")
_LINE_ENDS = re.compile(r"\[\^([^]]*)\\u2028-([^]]*)\]")
_LATIN_1 = 0x100
_INTEGER = ("integer", ["integer", "null"])
_BOUNDS = ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum")
_MOST_IN_32_BITS = 2**31 - 1


def make_portable(node: Any) -> None:
    """Rewrites the patterns of a document in place, by :func:`portable`, and says how wide its integers are."""
    values = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    for value in values:
        make_portable(value)
    if isinstance(node, dict) and isinstance(node.get("pattern"), str):
        node["pattern"] = portable(node["pattern"])
    if isinstance(node, dict) and node.get("type") in _INTEGER:
        bounds = [abs(node[name]) for name in _BOUNDS if name in node]
        node.setdefault("format", "int32" if len(bounds) > 1 and max(bounds) <= _MOST_IN_32_BITS else "int64")


def portable(pattern: str) -> str:
    r"""The same pattern without what only Python needs or only some engines know.

    ``$`` is the very end elsewhere, so the ``(?!\n)`` after it goes. Go has no ``\u2028``: a character stands for
    itself there, and ``\x7f`` stands for one below 256, because most of these cannot be seen. U+2028 and U+2029 cannot
    stand for themselves, because they end the line in a regular expression of JavaScript: a range from the character
    before them holds them, which an alternative lets in again.
    """
    pattern = _LINE_ENDS.sub(r"(?:[^\1\\u2027-\2]|\\u2027)", _END.sub("$", pattern))
    return _ESCAPE.sub(_character, pattern)


def _character(escape: re.Match[str]) -> str:
    code = int(escape[1], 16)
    return f"\\x{code:02x}" if code < _LATIN_1 else chr(code)
