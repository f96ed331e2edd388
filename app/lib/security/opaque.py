"""Random secrets for everything that is not a JWT: links in mail, tickets, API keys."""

import hashlib
import secrets
import string
import zlib

_ALPHABET = string.digits + string.ascii_letters
_LENGTH = 43  # log2(62) * 43 = 256 bits
_CHECKSUM_LENGTH = 6  # of 32 bits


def new_secret(prefix: str = "") -> str:
    """Return ``prefix`` followed by 43 random characters that hold 256 bits.

    The alphabet is base62, because ``-`` and ``_`` get lost at the end of links in mail and stop a double
    click half-way. A prefix (``ldk_``) lets people and secret scanners see what a string is.
    """
    return prefix + "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))


def with_checksum(secret: str) -> str:
    """The secret and the CRC32 of it in base62, so that one that was mistyped or cut off is recognised without a look
    into the database. Anyone can compute it: it protects from nothing else.
    """
    number, digits = zlib.crc32(secret.encode()), ""
    for _ in range(_CHECKSUM_LENGTH):
        number, digit = divmod(number, len(_ALPHABET))
        digits = _ALPHABET[digit] + digits
    return secret + digits


def is_intact(text: str, prefix: str) -> bool:
    """Whether a text is a secret with this prefix and its checksum. Takes any string."""
    secret = text[:-_CHECKSUM_LENGTH]
    if len(secret) != len(prefix) + _LENGTH or not secret.startswith(prefix) or not text.isascii():
        return False
    return with_checksum(secret) == text


def digest(secret: str) -> bytes:
    """Return the 32 bytes to store and to look a secret up by. Takes any string, also an attacker's.

    One round of SHA-256 is enough, since 256 random bits cannot be guessed, and it is not salted so that a
    secret is found by one indexed lookup. Not for passwords.
    """
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
