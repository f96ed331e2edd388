import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.lib.wire import base64url


@pytest.mark.parametrize(
    ("raw", "text"),
    # RFC 4648 section 10, and the two characters in which this alphabet differs
    [(b"", ""), (b"f", "Zg"), (b"fo", "Zm8"), (b"foo", "Zm9v"), (b"foob", "Zm9vYg"), (b"\xfb\xff", "-_8")],
)
def test_bytes_are_written_without_padding_and_read_back(raw: bytes, text: str) -> None:
    assert base64url.encode(raw) == text
    assert base64url.decode(text) == raw


@pytest.mark.parametrize(
    "text",
    [
        "Zg==",
        "Zg=",
        "Z",
        "Zh",
        "Zm9",
        "+/8",
        "Zm9v\n",
        " Zm9v",
        "Zm 9v",
        "Zm9v.",
        "Zö8",
        "Zm\x008",
        "\ud800aaa",
        "====",
    ],
)
def test_nothing_else_is_read(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - its subclasses say it in various words
        base64url.decode(text)


@given(st.text() | st.binary().map(base64url.encode) | st.text(alphabet="AZaz09-_=+/", max_size=12))
def test_what_is_read_is_what_would_be_written(text: str) -> None:
    try:
        raw = base64url.decode(text)
    except ValueError:
        return
    assert base64url.encode(raw) == text


@given(st.binary(max_size=100))
def test_any_bytes_survive(raw: bytes) -> None:
    assert base64url.decode(base64url.encode(raw)) == raw
