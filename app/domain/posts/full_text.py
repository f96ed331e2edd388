"""The full-text index in statements: a ``tsvector`` on PostgreSQL, FTS5 on SQLite, the same words on both.

A value is words with spaces between them, as :func:`~app.domain.posts.words.words_of` makes it: a post matches when it
has all of them. Folded words are lower-case letters and digits, so nothing in them is an operator.
"""

from typing import Any

from sqlalchemy import BindParameter, Boolean, Float
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement


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
    # The title counts ten times, as PostgreSQL's weights A and D have it.
    return (
        "(SELECT -bm25(fts_posts, 10.0, 1.0) FROM fts_posts"  # noqa: S608 - a bind parameter
        f" WHERE fts_posts MATCH {words} AND fts_posts.rowid = posts.fts_id)"
    )
