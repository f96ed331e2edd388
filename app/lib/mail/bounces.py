"""Reads what mail servers send back (delivery status notifications, RFC 3464)."""

import re
from email import message_from_bytes
from email.message import Message
from email.policy import compat32
from typing import Any

import msgspec

_MESSAGE_ID = re.compile(r"^message-id:\s*(<[!-;=?-~]{1,250}>)", re.IGNORECASE | re.MULTILINE)
_MAX_BYTES = 10_000_000


class Bounce(msgspec.Struct, frozen=True):
    """``message_id`` is that of the mail that came back, with its angle brackets."""

    message_id: str
    reason: str


def read_bounce(raw: bytes) -> Bounce | None:
    """What a report says; None for another kind of mail, or a report of a delay or a success. Never raises."""
    report = message_from_bytes(raw[:_MAX_BYTES], policy=compat32)
    if report.get_content_type() != "multipart/report" or not report.is_multipart():
        return None
    parts = list(report.walk())
    status = next((part for part in parts if part.get_content_type() == "message/delivery-status"), None)
    message_id = next(filter(None, map(_original_id, parts[1:])), None)
    if status is None or message_id is None:
        return None
    payload: Any = status.get_payload()  # the fields of the message, and those of its one recipient
    blocks = payload if isinstance(payload, list) else []
    fields = {name.lower(): str(value) for block in blocks for name, value in block.items()}
    if fields.get("action", "").strip().lower() != "failed":
        return None
    reason = f"{fields.get('status', '').strip()} {fields.get('diagnostic-code', '').strip()}"
    return Bounce(message_id, " ".join(reason.split()))


def _original_id(part: Message) -> str | None:
    """The Message-ID in what the report quotes of the mail: all of it, or its headers."""
    kind = part.get_content_type()
    if kind == "text/rfc822-headers":
        found = _MESSAGE_ID.search(str(part.get_payload()))
        return found[1] if found else None
    if kind != "message/rfc822" or not part.is_multipart():
        return None
    quoted: Any = part.get_payload(0)
    found = _MESSAGE_ID.search(f"Message-ID: {quoted.get('Message-ID', '')}")
    return found[1] if found else None
