"""Keys derived from the secret of the service."""

import hmac
from collections.abc import Sequence
from hashlib import sha256


class Keys:
    """A key of its own for each purpose, so that no tag made for one is good for another: 32 bytes of HMAC-SHA256."""

    def __init__(self, secret: str, fallbacks: Sequence[str] = ()) -> None:
        """``fallbacks`` are former secrets, which still verify."""
        self._secrets = (secret, *fallbacks)

    def derive(self, purpose: str) -> bytes:
        """The current key."""
        return self.derive_all(purpose)[0]

    def derive_all(self, purpose: str) -> tuple[bytes, list[bytes]]:
        """The current key, and those of the fallbacks."""
        current, *former = (hmac.digest(each.encode(), purpose.encode(), sha256) for each in self._secrets)
        return current, former
