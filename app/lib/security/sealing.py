"""Secrets that have to be read again, encrypted at rest (AES-256-GCM, NIST SP 800-38D).

For what a digest cannot do: a signing secret is needed in the clear to sign. Everything else is kept as a digest.
"""

import hashlib
import os
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_FORMAT = b"\x01"
_NONCE_LENGTH = 12
_KEY_ID_LENGTH = 4
_HEAD_LENGTH = len(_FORMAT) + _KEY_ID_LENGTH


class CannotUnseal(Exception):
    """None of the keys opens it: the secret key was changed without a fallback, or the row was tampered with."""


class Sealer:
    """Seals with the first key and opens with any. Keys have 32 bytes each and are derived from the secret key."""

    def __init__(self, key: bytes, fallbacks: Sequence[bytes] = ()) -> None:
        self._current = _key_id(key)
        # The first one wins where two ids should ever be the same, so that what was just sealed can be opened.
        self._keys = {_key_id(each): AESGCM(each) for each in reversed([key, *fallbacks])}

    @property
    def has_fallbacks(self) -> bool:
        """Whether a former key still opens things."""
        return len(self._keys) > 1

    def seal(self, secret: bytes, context: bytes) -> bytes:
        """The sealed secret: 33 bytes longer. Only the same ``context`` opens it, such as the id of its row, so that
        an attacker who can write to the database cannot move a secret from one row to another.
        """
        nonce = os.urandom(_NONCE_LENGTH)
        head = _FORMAT + self._current
        return head + nonce + self._keys[self._current].encrypt(nonce, secret, head + context)

    def open(self, sealed: bytes, context: bytes) -> bytes:
        """The secret. Raises ``CannotUnseal``."""
        head, rest = sealed[:_HEAD_LENGTH], sealed[_HEAD_LENGTH:]
        key = self._keys.get(head[len(_FORMAT) :])
        if key is None or not head.startswith(_FORMAT):
            raise CannotUnseal
        try:
            return key.decrypt(rest[:_NONCE_LENGTH], rest[_NONCE_LENGTH:], head + context)
        except (InvalidTag, ValueError) as exc:
            raise CannotUnseal from exc

    def is_current(self, sealed: bytes) -> bool:
        """Whether the current key sealed it. What a former key sealed is sealed again before that key goes."""
        return sealed.startswith(_FORMAT + self._current)


def _key_id(key: bytes) -> bytes:
    """Tells keys apart and says nothing about them."""
    return hashlib.sha256(b"key id:" + key).digest()[:_KEY_ID_LENGTH]
