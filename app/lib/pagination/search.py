"""Lists with full-text search, whose pages cost little however frequent or rare the words are.

The planner cannot tell rare words from frequent ones, and a wrong guess costs seconds. So it does not choose. A search
first walks the index of its order through a window, which is enough where words are frequent, and asks the full-text
index only when that did not fill the page. Both give the same rows in the same order, so a cursor works for both.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Generic, TypeVar

from litestar.params import QueryParameter
from sqlalchemy import BindParameter, ColumnElement, Select, SQLColumnExpression, bindparam, case, func, or_

from app.lib.db.reader import Reader
from app.lib.db.search import SearchQuery, label_query, matches, search_query
from app.lib.errors import InvalidCursor
from app.lib.pagination.cursor import CursorCodec
from app.lib.pagination.envelope import Page
from app.lib.pagination.filters import Filter
from app.lib.pagination.paginate import paginate
from app.lib.pagination.parameters import PageRequest
from app.lib.pagination.query import ListQuery, Window
from app.lib.pagination.sorting import SortKey

P = TypeVar("P", bound=Page[Any])

RELEVANCE = "relevance"
_TEXT = "q"
_WINDOW = 2_000
_FREQUENT = 20
"""Matches in the window from which on only these are ranked: 1 %, so that the index never has to find many more."""


class SearchList(Generic[P]):
    """What a repository declares once for a list that is searched: a :class:`ListQuery` with two more filters.

    ``q`` finds rows whose ``tokens`` have all its words. ``label`` names the filter for the labels among the tokens
    (tags); several are any of them. ``sort=-relevance`` puts rows first whose ``title_tokens`` have all the words; it
    depends on no other row, so it says nothing about hidden ones. Where words are frequent, only the newest rows in the
    default order are ranked.
    Each of the ``filters`` should be one that an index serves together with the order; the others are ``unindexed``.
    """

    def __init__(
        self,
        resource: str,
        page_type: type[P],
        rows: Select[Any],
        *,
        identity: SQLColumnExpression[Any],
        tokens: SQLColumnExpression[str],
        title_tokens: SQLColumnExpression[str],
        label: str,
        sorts: Sequence[SortKey],
        default_sort: str,
        filters: Sequence[Filter],
        unindexed: Sequence[Filter] = (),
    ) -> None:
        def query(name: str, order: Sequence[SortKey], *, scans: bool, **options: Any) -> ListQuery[P]:
            def has(sought: BindParameter[Any]) -> ColumnElement[bool]:
                """When it scans, PostgreSQL must not use the full-text index."""
                return matches(tokens, sought).is_(True) if scans else matches(tokens, sought)

            text = Filter(_TEXT, SearchQuery(), lambda binds: has(binds[0]), search_query)
            labels = Filter(label, SearchQuery(), lambda binds: or_(*map(has, binds)), label_query, repeatable=True)
            return ListQuery(
                name,
                page_type,
                rows,
                identity=identity,
                sorts=order,
                default_sort=default_sort,
                filters=(*filters, *unindexed, labels, text),
                **options,
            )

        in_title = matches(title_tokens, bindparam(f"filter_{_TEXT}_0", type_=SearchQuery()))
        relevance = SortKey(RELEVANCE, case((in_title, 1), else_=0), int)
        # As expressions, so that no index can be walked for the order.
        unordered = [SortKey(k.name, func.coalesce(k.expression, k.expression), k.python_type) for k in sorts]
        narrowing = frozenset(each.name for each in filters)
        self._label = label
        self._plain = query(resource, sorts, scans=True)
        self._all = query(resource, [*unordered, relevance], scans=False)
        self._newest = query(resource, sorts, scans=True, window=Window(_WINDOW, narrowing), counted_by=self._all)
        window = Window(_WINDOW, narrowing, along=default_sort)
        self._ranked = query(f"{resource}.newest", [*sorts, relevance], scans=True, window=window)

    def sort_parameter(self) -> QueryParameter:
        """The ``sort`` parameter of the list's route, see :meth:`ListQuery.sort_parameter`."""
        return self._all.sort_parameter()

    async def page(
        self,
        reader: Reader,
        request: PageRequest,
        codec: CursorCodec,
        *,
        sort: str | None,
        filters: Mapping[str, Any],
    ) -> P:
        """As :func:`paginate`. ``relevance`` is a sort key only together with ``q``."""

        async def read(query: ListQuery[P]) -> P:
            return await paginate(reader, query, request, codec, sort=sort, filters=filters)

        if filters.get(_TEXT) is None and not filters.get(self._label):
            return await read(self._plain)
        if filters.get(_TEXT) is None or RELEVANCE not in (sort or ""):
            page = await read(self._newest)
            return page if page.next_cursor is not None else await read(self._all)
        if request.cursor is not None:  # it continues in the list that it comes from
            with suppress(InvalidCursor):
                return await read(self._ranked)
            return await read(self._all)
        bound = self._ranked.bind(filters)
        found = await reader.first(self._ranked.count(bound.widths), **bound.parameters)
        return await read(self._ranked if (found or 0) >= _FREQUENT else self._all)
