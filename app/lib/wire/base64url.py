"""Base64url without padding (RFC 4648 section 5), and but one spelling of the same bytes."""

from base64 import b64decode, urlsafe_b64encode


def encode(raw: bytes) -> str:
    """Letters, digits, ``-`` and ``_``: four characters for three bytes."""
    return urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def decode(text: str) -> bytes:
    """What :func:`encode` made of some bytes. Raises ``ValueError`` for any text that it would not have made.

    Not for padding, another character, or a last character with spare bits that are not zero, so
    a caller may compare texts, or sign their bytes.
    """
    raw = b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    if encode(raw) != text:
        raise ValueError("not the one spelling of these bytes")
    return raw
