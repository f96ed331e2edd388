"""What is written into header fields is what a reader that keeps to RFC 2047 and RFC 5322 gets out of them."""

import base64
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.lib.mail.message import Mailbox, UnsafeHeader
from tests.lib.mail.test_message import outgoing

_WORD = r"=\?utf-8\?([bq])\?([!->@-~]+)\?="
_WORDS = re.compile(rf"{_WORD}(?: {_WORD})*")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_MAILBOX = re.compile(r"(?:(.*) )?<?([^<> ]+@[^<> ]+?)>?")
SAMPLES = [
    "\u00d6sterreichische Gesellschaft f\u00fcr \u00c4rzte",
    "\u0410\u0431\u0432 " * 20 + "\u0433",
    "\U0001f389" * 40,
    "a \u00e9",
    " \u00e9 ",
    "=?utf-8?q?=41?=",
    "a  b",
    " ",
    'Dr. "No" \\ (no), <x@y>; a:b',
    "word " * 40 + "end",
    "x" * 60,
    "x" * 61,
    "x" * 100,
    "\u00e9" + "x" * 100,
]


def field(raw: bytes, name: str) -> str:
    """A field's value, unfolded. Its lines are as long as they may be."""
    lines = re.search(rf"(?:^|\r\n){name}: ([^\r]*(?:\r\n[ \t][^\r]*)*)", raw.decode("ascii"))
    assert lines is not None
    for number, line in enumerate(lines[1].split("\r\n")):
        assert line.strip(), "a line of white space alone"
        if "=?" in line:
            assert len(line) + (len(f"{name}: ") if number == 0 else 0) <= 76
            assert all(len(word) <= 75 for word in line.split())
    return lines[1].replace("\r\n", "")


def decoded(text: str) -> str:
    """Encoded words and nothing else, or plain text."""
    if "=?" not in text:
        return text
    assert _WORDS.fullmatch(text), text
    return "".join(_bytes(coding, word).decode() for coding, word in re.findall(_WORD, text))


def _bytes(coding: str, word: str) -> bytes:
    if coding == "b":
        return base64.b64decode(word, validate=True)
    assert re.fullmatch(r"(?:[A-Za-z0-9!*+/_-]|=[0-9A-F]{2})+", word), "RFC 2047 section 5 (3)"
    text = word.replace("_", "=20")
    return re.sub(rb"=([0-9A-F]{2})", lambda match: bytes.fromhex(match[1].decode()), text.encode())


def phrase(text: str) -> str:
    quoted = _QUOTED.fullmatch(text)
    return re.sub(r"\\(.)", r"\1", quoted[1]) if quoted else decoded(text)


TEXT = st.text(max_size=120) | st.text(st.sampled_from('aZ \u00e9\u4e2d\U0001f389=?_."\\'), max_size=120)


@settings(deadline=None)  # the machine may be busy
@given(text=TEXT)
@pytest.mark.parametrize("name", ["From", "To", "Subject"])
def test_what_was_written_is_what_is_read(name: str, text: str) -> None:
    check(name, text)


@pytest.mark.parametrize("text", SAMPLES, ids=ascii)
@pytest.mark.parametrize("name", ["From", "To", "Subject"])
def test_what_encoders_get_wrong(name: str, text: str) -> None:
    check(name, text)


def check(name: str, text: str) -> None:
    try:
        box = Mailbox("ada@example.com", text)
        mail = outgoing(sender=box, to=box, subject=text)
    except UnsafeHeader:
        return
    value = field(mail.encoded(), name)
    if name == "Subject":
        assert decoded(value) == text
        return
    match = _MAILBOX.fullmatch(value)
    assert match is not None
    assert (phrase(match[1] or ""), match[2]) == (text, "ada@example.com")
