"""The full-text index in statements: a ``tsvector`` on PostgreSQL, FTS5 on SQLite, the same words on both.

A value is words with spaces between them, as :func:`~app.domain.posts.words.words_of` makes it: a post matches when it
has all of them. Folded words are lower-case letters and digits, so nothing in them is an operator.
"""

from typing import Any

from sqlalchemy import BindParameter, Boolean, Float
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

# bm25() depends on every post there is, drafts of others included: it would tell of them, and cursors would go stale
# with each write. So this counts what the post itself says, as ts_rank does. The title counts ten times, as weights A
# and D of PostgreSQL have it; the second mention is worth less than the first. It reads the first words of a query and
# the beginning of a post, because it is worked out for each post that is found.
_RANK = """
SELECT total(10.0 * in_title / (in_title + 1) + 1.0 * in_content / (in_content + 1)) FROM (
    SELECT
        (length(title) - length(replace(title, ' ' || value || ' ', ''))) / (length(value) + 2) AS in_title,
        (length(content) - length(replace(content, ' ' || value || ' ', ''))) / (length(value) + 2) AS in_content
    FROM json_each('["' || replace({words}, ' ', '","') || '"]'), (
        SELECT
            ' ' || posts.title_words || ' ' AS title,
            ' ' || substr(posts.content_words, 1, 10000) || ' ' AS content
    )
    LIMIT 8
)
"""


class matches(FunctionElement[bool]):  # noqa: N801 - reads like the SQL function that it is
    """Whether a post has all of the words, in its title or its content."""

    type = Boolean()
    inherit_cache = True

    def __init__(self, words: BindParameter[Any]) -> None:
        super().__init__(words)


class relevance(FunctionElement[float]):  # noqa: N801 - reads like the SQL function that it is
    """How well a post that matches does so; only to be compared with other values for the same words."""

    type = Float()
    inherit_cache = True

    def __init__(self, words: BindParameter[Any]) -> None:
        super().__init__(words)


def _query(element: Any, compiler: Any, options: Any) -> str:
    """Read once per statement: a function of a parameter is else called for each row."""
    return f"(SELECT plainto_tsquery('simple', {compiler.process(element.clauses, **options)}))"


@compiles(matches, "postgresql")
def _matches_on_postgresql(element: Any, compiler: Any, **options: Any) -> str:
    return f"(posts.fts_vector @@ {_query(element, compiler, options)})"


@compiles(matches, "sqlite")
def _matches_on_sqlite(element: Any, compiler: Any, **options: Any) -> str:
    words = compiler.process(element.clauses, **options)
    return f"(posts.fts_id IN (SELECT rowid FROM fts_posts WHERE fts_posts MATCH {words}))"  # noqa: S608 - a bind parameter


@compiles(relevance, "postgresql")
def _relevance_on_postgresql(element: Any, compiler: Any, **options: Any) -> str:
    return f"ts_rank(posts.fts_vector, {_query(element, compiler, options)})::float8"


@compiles(relevance, "sqlite")
def _relevance_on_sqlite(element: Any, compiler: Any, **options: Any) -> str:
    words = compiler.process(element.clauses, **options)
    return f"({_RANK.format(words=words)})"
