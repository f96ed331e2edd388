"""Keeps what is secret in a mail, such as the token in a link, unreadable in the database until it is sent."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import msgspec

from app.lib.security.sealing import Sealer


def seal(sealer: Sealer, values: Mapping[str, Any], mail_id: UUID) -> bytes | None:
    """The values, sealed for this mail; None when there are none."""
    return sealer.seal(msgspec.json.encode(values), mail_id.bytes) if values else None


def unseal(sealer: Sealer, sealed: bytes | None, mail_id: UUID) -> dict[str, Any]:
    """What :func:`seal` was given. Raises ``CannotUnseal``."""
    if sealed is None:
        return {}
    return msgspec.json.decode(sealer.open(sealed, mail_id.bytes), type=dict[str, Any])
