"""What mail servers send back (RFC 3464)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.lib.mail.bounces import Bounce, read_bounce

REPORT = """\
From: MAILER-DAEMON@example.net
To: noreply@lodestar.example
Subject: Undelivered Mail Returned to Sender
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"
Message-ID: <report@example.net>

--b
Content-Type: text/plain

I am sorry.

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.net

Final-Recipient: rfc822; ada@example.net
Action: {action}
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 no
 such user

--b
Content-Type: {quoted}

From: noreply@lodestar.example
Message-ID: <abc@lodestar.example>
Subject: Welcome

{body}
--b--
"""


def report(action: str = "failed", quoted: str = "message/rfc822", body: str = "Hello") -> bytes:
    return REPORT.format(action=action, quoted=quoted, body=body).replace("\n", "\r\n").encode()


@pytest.mark.parametrize("quoted", ["message/rfc822", "text/rfc822-headers"])
def test_a_report_names_the_mail_and_the_reason(quoted: str) -> None:
    found = read_bounce(report(quoted=quoted))

    assert found == Bounce("<abc@lodestar.example>", "5.1.1 smtp; 550 5.1.1 no such user")


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x00\xff",
        b"Subject: Out of office\r\n\r\nI am away.",
        report(action="delayed"),
        report(action="delivered"),
        report().replace(b"<abc@lodestar.example>", b"nonsense"),
        report().replace(b"message/delivery-status", b"text/plain"),
        report().replace(b"multipart/report", b"multipart/mixed"),
        report().replace(b'boundary="b"', b"boundary=none"),
    ],
)
def test_everything_else_is_no_bounce(raw: bytes) -> None:
    assert read_bounce(raw) is None


@given(st.binary(max_size=300), st.integers(0, 700))
def test_nothing_makes_it_fail(noise: bytes, place: int) -> None:
    whole = report()
    read_bounce(whole[:place] + noise + whole[place:])
