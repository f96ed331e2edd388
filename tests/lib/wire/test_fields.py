"""Field types: what they take and what they refuse, as Python and as JavaScript read their patterns."""

import re
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.lib.errors import ValidationFailed
from app.lib.security.fields import Email, Password
from app.lib.wire.decoding import convert, decode_json
from app.lib.wire.dto import unbounded
from app.lib.wire.fields import (
    Bio,
    HttpsUrl,
    Locale,
    Name,
    SingleLine,
    Timestamp,
    Username,
    VisibleTextLines,
)

TEXTS: list[Any] = [Bio, Email, HttpsUrl, Locale, Name, Password, SingleLine, Username]
SCHEMAS = [
    (type_, schema, re.compile(schema.get("pattern", "").replace("$", r"\Z")))
    for type_, schema in ((each, msgspec.json.schema(each)) for each in TEXTS)
]
UNSEEN = ["\x00", "\x1b", "\x7f", "\x85"]


def refusal(value: Any, type_: Any) -> tuple[str, str]:
    with pytest.raises(ValidationFailed) as caught:
        decode_json(msgspec.json.encode(value), type_)
    [error] = caught.value.errors
    assert error.pointer == ""
    return error.code.value, error.detail


@pytest.mark.parametrize(
    ("type_", "values"),
    [
        (Name, ["Al", "Ada Lovelace", " x y ", "李小龍", "x" * 100, "👩‍👩‍👧‍👦!"]),
        (SingleLine, ["a", " a", "x" * 255, "\u200fא", "\u200b a", "e\u200d", "👩\u200d🚀", "\u0301"]),
        (VisibleTextLines, ["a", "\n a\n\tb ", "\u00a0x", "\u200bx"]),
        (Email, ["a@b.example", "ada@example.com", "ünï@cödé.example", "x" * 64 + "@example.com"]),
        (Username, ["ada", "Ada.Lovelace_1815-x", "x" * 30, "000"]),
        (Password, ["k7#dQz!m", " leading and trailing ", "tab\tline\nfeed", "k7#dQz!m" * 128]),
        (Locale, ["en", "gsw", "en-GB"]),
        (Bio, ["", "two\nlines\r\n\tand a tab\n", "x" * 2000]),
    ],
)
def test_what_is_taken_is_kept_as_it_is(type_: Any, values: list[Any]) -> None:
    assert [decode_json(msgspec.json.encode(value), type_) for value in values] == values


@pytest.mark.parametrize(
    ("type_", "values", "code"),
    [
        (Name, ["", "x"], "too_short"),
        (Name, ["x" * 101], "too_long"),
        (Name, ["  ", "\u3000\u3000", "ab\n", "\nab", "a\u2028b", "a\u202eb", "a\u2066b"], "invalid_format"),
        (
            SingleLine,
            [" ", "a\tb", "a\r\nb", "\u200b", " \ufeff \u3164 ", "\u2800\u00ad", "\u115f\u1160\uffa0"],
            "invalid_format",
        ),
        (VisibleTextLines, [" ", "\n\t\n", "\u00a0", "\u200b\n\ufeff", "a\x00", "\x0b"], "invalid_format"),
        (
            Email,
            ["no-at", "a@b", "x" * 65 + "@example.com", "a@b@c", "a b@c", "a@b\n", "a@b\r\nBcc: x", "@@@"],
            "invalid_format",
        ),
        (Email, ["a@" + "b" * 253], "too_long"),
        (Username, [".ada", "ada.", "a@b.c", "a b", "ädä", "ada\n"], "invalid_format"),
        (Username, ["ab"], "too_short"),
        (Password, ["", "seven c"], "too_short"),
        (Password, ["password123", "PassWord123", "x" * 8, "cba98765"], "weak_password"),
        (Password, ["x" * 1025], "too_long"),
        (Locale, ["EN", "en_GB", "en-gb", "en\n", "e1", "en-GB\n"], "invalid_format"),
        (Bio, ["x" * 2001], "too_long"),
    ],
)
def test_what_does_not_fit_is_refused(type_: Any, values: list[Any], code: str) -> None:
    assert {value: refusal(value, type_)[0] for value in values} == dict.fromkeys(values, code)


@pytest.mark.parametrize("type_", [each for each in TEXTS if each is not Password])
@pytest.mark.parametrize("character", UNSEEN)
def test_unseen_characters_are_refused(type_: Any, character: str) -> None:
    code, _ = refusal(f"https://example.com{character}/a@b", type_)
    assert code in {"invalid_format", "too_long"}


@pytest.mark.parametrize("type_", TEXTS)
def test_nothing_is_without_bounds(type_: Any) -> None:
    assert unbounded(type_) == []


@given(text=st.text(max_size=40) | st.from_regex(r"\A[a-z]{2,3}(-[A-Z]{2})?\n?\Z"))
def test_the_schema_alone_decides(text: str) -> None:
    """A client that checks the published schema, with JavaScript's ``$``, comes to the same answer."""
    for type_, schema, ecma in SCHEMAS:
        fits = schema.get("minLength", 0) <= len(text) <= schema["maxLength"] and ecma.search(text) is not None
        try:
            convert(text, type_, strict=True)
        except ValidationFailed:
            assert not fits or "\0" in text or type_ in (HttpsUrl, Email, Password)
        else:
            assert fits


# URLs


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com",
        "https://EXAMPLE.com:8443/a/b.png?c=d&e=%20#f",
        "https://a-b.c.co.uk/",
        "https://xn--r8jz45g.jp/x",
        "https://a.xn--p1ai:443",
        "https://127.0.0.1.example.com/",
        "https://example.com/?q=@x",
        "https://localhost.example.com/",
    ],
)
def test_public_urls_are_taken(url: str) -> None:
    assert convert(url, HttpsUrl, strict=True) == url


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "127.1", "2130706433", "0x7f000001", "0x7f.0.0.1", "017700000001", "0177.0.0.1", "127.0.0.1.",
        "10.0.0.1", "192.168.1.1", "172.16.0.1", "169.254.169.254", "100.64.0.1", "0", "8.8.8.8",
        "[::1]", "[::]", "[::ffff:127.0.0.1]", "[fe80::1]", "[fd00::1]", "[2001:db8::1]", "[64:ff9b::7f00:1]",
        "[::1%25eth0]", "[not-an-address]", "localhost", "LOCALHOST", "localhost.", "a.localhost", "printer.local",
        "db.internal", "intranet", "host.lan", "router.home.arpa", "x.corp", "x.home", "x.test", "x.invalid",
        "user@example.com", "user:secret@example.com", ":@example.com", "example.com@127.0.0.1", "@localhost.com",
        "127.0.0.1\\@example.com", "example.com\\.evil.com", "ex%61mple.com", "%6c%6f%63alhost", "a..com",
        "-a.com", "a-.com", "a_b.com", "a.1", "a.0x1", "x" * 64 + ".com", "example.com:0", "example.com:65536",
        "example.com:-1", "example.com:x",
    ],
)  # fmt: skip
def test_hosts_that_are_not_public_names_are_refused(host: str) -> None:
    code, detail = refusal(f"https://{host}/avatar.png", HttpsUrl)
    assert code == "invalid_format"
    assert host not in detail


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/a.png",
        "HTTPS://example.com/a.png",
        "ftp://example.com/a.png",
        "javascript:alert(1)//https://",
        "data:image/png;base64,AAAA",
        "//example.com/a.png",
        "https:example.com/a.png",
        "https:/example.com/a.png",
        "https:///example.com/a.png",
        " https://example.com/a.png",
        "https://example.com/a b.png",
        "https://example.com/a.png\n",
        "https://exam\tple.com/a.png",
        "https://éxample.com/a.png",
        "https://\uff11\uff12\uff17.0.0.1/a.png",
        "https://example\u3002com/a.png",
    ],
)
def test_other_urls_are_refused(url: str) -> None:
    assert refusal(url, HttpsUrl)[0] == "invalid_format"


def test_urls_have_a_maximum() -> None:
    assert refusal("https://example.com/" + "x" * 2029, HttpsUrl)[0] == "too_long"


# Instants


@pytest.mark.parametrize(
    "text", ["2026-01-31T12:00:00Z", "2026-01-31T13:00:00+01:00", "2026-01-30T22:00:00-14:00", "2026-01-31t12:00:00z"]
)
def test_instants_arrive_in_utc(text: str) -> None:
    moment = decode_json(msgspec.json.encode(text), Timestamp)
    assert moment == datetime(2026, 1, 31, 12, tzinfo=UTC)
    assert moment.tzinfo is UTC
    assert msgspec.json.encode(moment) == b'"2026-01-31T12:00:00Z"'


@pytest.mark.parametrize(
    "value",
    ["2026-01-31T12:00:00", "2026-01-31", "now", "0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00"],
)
def test_naive_and_impossible_instants_are_refused(value: str) -> None:
    assert refusal(value, Timestamp)[0] == "invalid_format"


@given(moment=st.datetimes(timezones=st.timezones()))
def test_an_instant_stays_the_same_instant(moment: datetime) -> None:
    offset = moment.isoformat()
    try:
        decoded = decode_json(msgspec.json.encode(offset), Timestamp)
    except ValidationFailed:
        assert moment.year in {1, 9999} or moment.utcoffset() is None or offset.count(":") > 3
    else:
        assert decoded == datetime.fromisoformat(offset)
