import pytest

from tools import words


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("It was told.", [(1, "told")]),
        ("was_told", [(1, "told")]),
        ("WebhookTold", [(1, "told")]),
        ("Whoever asks", [(1, "whoever")]),
        ("a\nb has so\n# many", [(2, "so many")]),
        ("untold besides stolid", []),
        ("next to", []),
    ],
)
def test_words_are_found_whole_in_names_and_across_lines(text: str, found: list[tuple[int, str]]) -> None:
    assert list(words.findings_in(text, "x.py")) == found


@pytest.mark.parametrize(
    ("subject", "fits"),
    [
        ("orders: cancel an order", True),
        ("lib/http: answer 413 early", True),
        ("Merge branch 'main'", True),
        ("Posts are sent again", False),
        ("orders:", False),
    ],
)
def test_subject_names_its_scope(subject: str, *, fits: bool) -> None:
    assert bool(words.SUBJECT.fullmatch(subject)) is fits
