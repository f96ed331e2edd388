"""The Link header: RFC 8288, RFC 3986."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.lib.http.locations import link_header
from tests.lib.pagination.toys import ToyPage


def page(**changed: Any) -> ToyPage:
    members: dict[str, Any] = {
        "items": [],
        "total": 57,
        "total_capped": False,
        "page": 1,
        "page_size": 20,
        "pages": 3,
        "next_cursor": "abc_-",
    }
    return ToyPage(**{**members, **changed})


def test_the_first_page_has_no_previous_one() -> None:
    assert link_header("/api/v1/toys", [], page()) == ('</api/v1/toys>; rel="first", </api/v1/toys?page=2>; rel="next"')


def test_other_parameters_are_kept_in_order() -> None:
    query = [("title", "a"), ("page", "2"), ("title", "b&c=d"), ("page_size", "20")]
    kept = "title=a&title=b%26c%3Dd&page_size=20"
    assert link_header("/toys", query, page(page=2)) == (
        f'</toys?{kept}>; rel="first", </toys?{kept}&page=1>; rel="prev", </toys?{kept}&page=3>; rel="next"'
    )


def test_the_last_page_has_no_next_one() -> None:
    assert (
        link_header("/toys", [], page(page=3, next_cursor=None)) == '</toys>; rel="first", </toys?page=2>; rel="prev"'
    )


@pytest.mark.parametrize(("pages", "previous"), [(3, 3), (None, 8), (0, 8)])
def test_before_a_page_past_the_end_comes_the_last_one(pages: int | None, previous: int) -> None:
    links = link_header("/toys", [], page(page=9, pages=pages, next_cursor=None))
    assert links.endswith(f'</toys?page={previous}>; rel="prev"')


def test_by_cursor_there_is_no_way_back() -> None:
    query = [("cursor", "old"), ("sort", "-title")]
    assert link_header("/toys", query, page(page=None, pages=None)) == (
        '</toys?sort=-title>; rel="first", </toys?sort=-title&cursor=abc_->; rel="next"'
    )


def test_past_row_ten_thousand_the_next_page_is_by_cursor() -> None:
    assert 'page=500>; rel="next"' in link_header("/toys", [], page(page=499))
    assert '</toys?cursor=abc_->; rel="next"' in link_header("/toys", [], page(page=500))


@given(path=st.text(), name=st.text(), value=st.text())
def test_nothing_breaks_out_of_a_target(path: str, name: str, value: str) -> None:
    try:
        header = link_header(f"/{path}", [(name, value)], page(page=2))
    except UnicodeEncodeError:  # a lone surrogate is in no decoded URL
        return
    assert header.isascii()
    assert header.isprintable()
    assert " " not in header.replace("; rel=", "").replace(", <", "")
    assert header.count("<") == header.count(">") == 3
    assert header.count('"') == 6
