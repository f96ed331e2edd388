import pytest

from app.lib.http.language import accepted_languages


@pytest.mark.parametrize(
    ("header", "languages"),
    [
        ("", []),
        ("de", ["de"]),
        ("de-AT, en;q=0.5", ["de-AT", "en"]),
        ("en;q=0.5, de-AT", ["de-AT", "en"]),
        ("en, de", ["en", "de"]),
        ("en ; q=0.1 , de;q=0", ["en"]),
        ("*", []),
        ("de;q=2, en;q=x, fr;level=1, it", ["it"]),
        ("x" * 100_000, []),
        ("a," * 100 + "de", []),
    ],
)
def test_the_preferred_language_comes_first(header: str, languages: list[str]) -> None:
    assert accepted_languages(header) == languages
