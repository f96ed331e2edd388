"""Full-text search by the database itself, with the same results on both: a ``tsvector`` with a GIN index on
PostgreSQL, an FTS5 table on SQLite.

The databases do not agree on what a word is, so they do not split texts. :func:`search_tokens` does, when a row is
written and when a query is read, and the databases only look tokens up: a row is found when it has all of them. Nothing
in a query is an operator or a wildcard.

A table ``x`` needs a column of type :class:`SearchTokens`; on SQLite also the FTS5 table ``fts_x`` over that column,
whose rows are numbered by ``x.fts_id``. Its migration makes both (see the one of posts).
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Any

from sqlalchemy import BindParameter, Boolean, Dialect, SQLColumnExpression, Text, TypeDecorator
from sqlalchemy.dialects.postgresql import TSQUERY, TSVECTOR
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

NOTHING = "="
"""A query that finds no row: no text has this token."""

_MAX_TOKEN = 64
_MAX_BYTES = 600_000
"""The tokens of one row. PostgreSQL stores at most a megabyte; 100 000 Latin letters need a tenth of this."""
_GRAMS = (1, 2, 3)

# Thai, Lao, Myanmar, Hangul, Khmer, kana, bopomofo, Han.
_UNSPACED = re.compile(
    "([\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u2e80-\u312f\u3130-\u318f\u31a0-\u31ff\u3400-\u9fff"
    "\uac00-\ud7ff\uf900-\ufaff\U00020000-\U0003ffff]+)"
)
_CHUNK = re.compile(r"\S{1,256}|\s+")  # normalising takes quadratic time for hostile input, so it gets little at a time


def search_tokens(text: str, *, is_query: bool = False) -> Iterator[str]:
    """The tokens of a text, or those that a query asks for.

    Words are folded: no case, no accents or vowel points, no compatibility variants. A symbol (an emoji) is a word.
    Scripts that are written without spaces, and Hangul with its compounds, give every part of one to three letters;
    a query asks for the longest parts that it has, so it is found inside longer runs.
    """
    # Composed again after folding, because half-width letters and their marks only meet then.
    for word in dict.fromkeys(_composed(_composed(text).translate(_folded)).split()):
        for number, run in enumerate(_UNSPACED.split(word)):
            if number % 2 == 0:
                yield from (run[i : i + _MAX_TOKEN] for i in range(0, len(run), _MAX_TOKEN))
                continue
            for size in [min(len(run), _GRAMS[-1])] if is_query else _GRAMS:
                yield from (run[i : i + size] for i in range(len(run) - size + 1))


def _composed(text: str) -> str:
    if unicodedata.is_normalized("NFC", text):
        return text
    return "".join(unicodedata.normalize("NFC", chunk) for chunk in _CHUNK.findall(text))


def search_document(*texts: str, labels: Iterable[str] = ()) -> str:
    """What a row is found by, for its column of :class:`SearchTokens`. Put the most important text first: of very long
    ones the end is left out. ``labels`` are found by :func:`label_query` only.
    """
    tokens = dict.fromkeys(f"#{label}" for label in labels)
    left = _MAX_BYTES
    for text in texts:
        for token in search_tokens(text):
            if token not in tokens:
                left -= len(token.encode())
                if left < 0:
                    return " ".join(tokens)
                tokens[token] = None
    return " ".join(tokens)


def search_query(text: str) -> str:
    """What a person typed, as a value for :class:`matches`."""
    return " ".join(dict.fromkeys(search_tokens(text, is_query=True))) or NOTHING


def label_query(label: str) -> str:
    """One label, as a value for :class:`matches`. Labels are lower-case ASCII letters, digits and hyphens."""
    return f"#{label}" if re.fullmatch("[a-z0-9-]+", label) else NOTHING


class _Folding(dict[int, str]):
    """For ``str.translate``: what stands for a character; made when a character is first seen."""

    def __missing__(self, code: int) -> str:
        decomposed = unicodedata.normalize("NFKD", chr(code).casefold()).casefold()
        folded = unicodedata.normalize("NFC", "".join(map(_fold, decomposed)))
        self[code] = folded
        return folded


_folded = _Folding()


def _fold(character: str) -> str:
    category, combining = unicodedata.category(character), unicodedata.combining(character)
    if category == "So":
        return f" {character} "
    # Marks of the classes 10 to 36 are vowel points (Hebrew, Arabic, Syriac), from 200 on accents. The others, such as
    # the matras and viramas of Hindi or the tone marks of Thai, are parts of a word.
    is_accent = category == "Mn" and (10 <= combining <= 36 or combining >= 200)  # noqa: PLR2004 - classes of Unicode
    if is_accent or category in {"Cf", "Me"} or "\ufe00" <= character <= "\ufe0f" or character == "\u0640":
        return " " if character == "\u200b" else ""
    if category[0] not in "LMN":
        return " "
    letter, _, stroke = unicodedata.name(character, "").partition(" WITH ")  # ø and ł have no decomposition
    return letter[-1].lower() if stroke and letter[:-1] == "LATIN SMALL LETTER " else character


class SearchTokens(TypeDecorator[str]):
    """A column for :func:`search_document`. Defer it: it is only written and searched."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        """A ``tsvector`` on PostgreSQL, text on SQLite, where FTS5 splits it at the spaces."""
        return TSVECTOR() if dialect.name == "postgresql" else Text()

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        """Tokens have no quotes and no backslashes, so nothing has to be escaped."""
        return _quoted(value, "'") if value and dialect.name == "postgresql" else value


class SearchQuery(TypeDecorator[str]):
    """The type of the bind parameter of :class:`matches`."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        """The database's own type of queries."""
        return TSQUERY() if dialect.name == "postgresql" else Text()

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        """All tokens, each of them quoted."""
        return _quoted(value, "'", " & ") if dialect.name == "postgresql" else _quoted(value, '"')


def _quoted(tokens: str, quote: str, between: str = " ") -> str:
    return between.join(f"{quote}{token}{quote}" for token in tokens.split(" "))


class matches(FunctionElement[bool]):  # noqa: N801 - reads like the SQL operator that it is
    """Whether a column of :class:`SearchTokens` has all tokens of a query."""

    type = Boolean()
    inherit_cache = True

    def __init__(self, column: SQLColumnExpression[Any], query: BindParameter[Any]) -> None:
        super().__init__(column, query)


@compiles(matches, "postgresql")
def _matches_on_postgresql(element: Any, compiler: Any, **options: Any) -> str:
    column, query = (compiler.process(each, **options) for each in element.clauses)
    return f"({column} @@ CAST({query} AS tsquery))"


@compiles(matches, "sqlite")
def _matches_on_sqlite(element: Any, compiler: Any, **options: Any) -> str:
    column, _ = element.clauses
    query = compiler.process(element.clauses.clauses[1], **options)
    fts = f"fts_{column.table.name}"
    found = f"SELECT rowid FROM {fts} WHERE {fts} MATCH '{{{column.name}}} : (' || {query} || ')'"  # noqa: S608 - a bind parameter
    return f"({column.table.name}.fts_id IN ({found}))"
