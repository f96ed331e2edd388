"""The message that a mail becomes."""

from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.lib.mail.message import Mailbox, OutgoingMail, UnsafeHeader, message_id

URL = f"https://api.example.com/notifications/unsubscribe?token=getting_started.{'A' * 43}"
AT = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)


def outgoing(**changes: Any) -> OutgoingMail:
    values: dict[str, Any] = {
        "sender": Mailbox("noreply@example.com", "Lodestar"),
        "to": Mailbox("ada@example.com"),
        "subject": "Welcome",
        "text": "Hello\n",
        "html": "<p>Hello</p>\n",
        "locale": "en",
        "message_id": "<1@example.com>",
        "date": AT,
    }
    return OutgoingMail(**{**values, **changes})


def parsed(mail: OutgoingMail) -> EmailMessage:
    message = message_from_bytes(mail.encoded(), policy=SMTP)
    assert isinstance(message, EmailMessage)
    return message


def test_a_mail_has_text_and_html_and_says_that_a_machine_wrote_it() -> None:
    message = parsed(outgoing(text="Grüße\n", html="<p>Grüße</p>\n", locale="de"))

    assert message["From"] == "Lodestar <noreply@example.com>"
    assert message["To"] == "ada@example.com"
    assert message["Date"].datetime == AT
    assert message["Message-ID"] == "<1@example.com>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Content-Language"] == "de"
    assert "List-Unsubscribe" not in message
    assert message.get_content_type() == "multipart/alternative"
    text, html = message.iter_parts()
    assert (text.get_content_type(), text.get_content()) == ("text/plain", "Grüße\r\n")
    assert (html.get_content_type(), html.get_content()) == ("text/html", "<p>Grüße</p>\r\n")


def test_the_same_mail_is_the_same_bytes() -> None:
    assert outgoing().encoded() == outgoing().encoded()
    assert outgoing(message_id="<2@example.com>").encoded() != outgoing().encoded()


def test_what_is_not_essential_offers_one_click_in_an_unbroken_line() -> None:
    raw = outgoing(unsubscribe_url=URL).encoded()

    assert f"\r\nList-Unsubscribe: <{URL}>\r\n".encode() in raw
    assert b"\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" in raw


def test_lines_end_as_smtp_wants_them_and_are_seven_bits_short() -> None:
    raw = outgoing(subject="Ünï" * 30, text="é" * 3000, unsubscribe_url=URL).encoded()

    assert raw.isascii()
    assert raw.replace(b"\r\n", b"").count(b"\n") == raw.replace(b"\r\n", b"").count(b"\r") == 0
    assert max(map(len, raw.split(b"\r\n"))) <= 998


def test_names_and_domains_beyond_ascii_are_encoded() -> None:
    mail = outgoing(sender=Mailbox("post@exämple.com", 'Löde, "Star" <x@y>'), subject="Grüße 🎉")

    message = parsed(mail)

    assert mail.encoded().isascii()
    assert message["From"].addresses[0].display_name == 'Löde, "Star" <x@y>'
    assert message["From"].addresses[0].addr_spec == "post@xn--exmple-cua.com"
    assert len(message["From"].addresses) == 1
    assert message["Subject"] == "Grüße 🎉"
    assert not mail.needs_smtputf8


def test_a_local_part_beyond_ascii_needs_smtputf8() -> None:
    mail = outgoing(to=Mailbox("dörte@exämple.com"))

    assert mail.needs_smtputf8
    assert mail.to.wire() == "dörte@xn--exmple-cua.com"
    assert "\r\nTo: dörte@xn--exmple-cua.com\r\n".encode() in mail.encoded()


INJECTIONS = ["a\r\nBcc: b@example.com", "a\nb", "a\rb", "a\0b", "a\x1bb", "a\u2028b", "a\u202eb", "a\x85b", "a\ud800b"]


@pytest.mark.parametrize("text", INJECTIONS, ids=ascii)
def test_nothing_can_add_a_header(text: str) -> None:
    with pytest.raises(UnsafeHeader):
        outgoing(subject=text)
    with pytest.raises(UnsafeHeader):
        Mailbox("ada@example.com", text)
    with pytest.raises(UnsafeHeader):
        Mailbox(f"{text}@example.com")
    with pytest.raises(UnsafeHeader):
        Mailbox(f"ada@{text}.com")
    with pytest.raises(UnsafeHeader) as caught:
        outgoing(unsubscribe_url=f"https://example.com/{text}")
    assert text not in str(caught.value)


@given(name=st.text(max_size=60), subject=st.text(min_size=1, max_size=120))
def test_all_that_is_not_refused_stays_in_its_header(name: str, subject: str) -> None:
    try:
        mail = outgoing(sender=Mailbox("noreply@example.com", name), subject=subject)
    except UnsafeHeader:
        return
    message = parsed(mail)

    assert [key.lower() for key in message] == [
        "from", "to", "subject", "date", "message-id", "auto-submitted", "mime-version", "content-type",
        "content-language",
    ]  # fmt: skip
    assert [each.addr_spec for each in message["From"].addresses] == ["noreply@example.com"]


@pytest.mark.parametrize("address", ["", "ada", "@example.com", "ada@", "a b@example.com", "a@b@c", "<a@example.com>"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(UnsafeHeader):
        Mailbox(address)


@pytest.mark.parametrize("subject", ["", "x" * 256])
def test_a_subject_is_there_and_bounded(subject: str) -> None:
    with pytest.raises(UnsafeHeader):
        outgoing(subject=subject)


def test_the_message_id_follows_from_what_the_mail_is() -> None:
    first = message_id("welcome", "1", "example.com")

    assert first == message_id("welcome", "1", "example.com")
    assert first.endswith("@example.com>")
    assert len({first, message_id("welcome", "2", "example.com"), message_id("reset", "1", "example.com")}) == 3
