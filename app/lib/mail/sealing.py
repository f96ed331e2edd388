"""Keeps what is secret in a mail, such as the token in a link, unreadable in the database until it is sent."""

from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from cryptography.fernet import Fernet, InvalidToken, MultiFernet


class SealBroken(Exception):
    """The values cannot be read any more: the key they were sealed with is gone."""


class Sealer:
    """Seals with the first key (32 bytes each) and opens with any, so that keys can be rotated."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._fernet = MultiFernet([Fernet(urlsafe_b64encode(key)) for key in keys])

    def seal(self, values: Mapping[str, Any]) -> bytes | None:
        """The values, encrypted and authenticated; None when there are none."""
        return self._fernet.encrypt(msgspec.json.encode(values)) if values else None

    def open(self, sealed: bytes | None) -> dict[str, Any]:
        """What :meth:`seal` was given. Raises :class:`SealBroken`."""
        if sealed is None:
            return {}
        try:
            return msgspec.json.decode(self._fernet.decrypt(sealed), type=dict[str, Any])
        except InvalidToken:
            raise SealBroken from None
