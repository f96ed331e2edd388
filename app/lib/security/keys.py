"""Keys derived from the secret of the service."""

import hmac
from collections.abc import Sequence
from hashlib import sha256


class Keys:
    """A key of its own for each purpose, so that no tag made for one is good for another: 32 bytes of HMAC-SHA256."""

    def __init__(self, secret: str, fallbacks: Sequence[str] = ()) -> None:
        """``fallbacks`` are former secrets, which still verify."""
        self._secret = secret
        self._fallbacks = fallbacks

    def derive(self, purpose: str) -> bytes:
        """The current key."""
        return _derive(self._secret, purpose)

    def derive_all(self, purpose: str) -> tuple[bytes, list[bytes]]:
        """The current key, and those of the fallbacks."""
        return self.derive(purpose), [_derive(each, purpose) for each in self._fallbacks]


def _derive(secret: str, purpose: str) -> bytes:
    return hmac.digest(secret.encode(), purpose.encode(), sha256)
