"""Secrets and signatures of Standard Webhooks 1.0, symmetric scheme ``v1``."""

import base64
import hmac
import secrets
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256

PREFIX = "whsec_"
SECRET_BYTES = 32
"""Random bytes of a new secret; the specification wants 24 to 64."""


def new_secret() -> bytes:
    """The key of a new endpoint."""
    return secrets.token_bytes(SECRET_BYTES)


def show_secret(key: bytes) -> str:
    """A key as people copy it into their receiver: ``whsec_`` and base64."""
    return PREFIX + base64.b64encode(key).decode()


def signed_headers(keys: Sequence[bytes], message_id: str, attempted_at: datetime, body: bytes) -> dict[str, str]:
    """The three headers of an attempt, with one signature for each key.

    ``message_id`` is the same in every attempt, so that receivers can tell a repetition; the time is the attempt's
    own, so that they can refuse what was recorded and played back later.
    """
    timestamp = str(int(attempted_at.timestamp()))
    content = f"{message_id}.{timestamp}.".encode() + body
    signatures = [f"v1,{base64.b64encode(hmac.digest(key, content, sha256)).decode()}" for key in keys]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(signatures),
    }
