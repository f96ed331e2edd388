"""The secret key: made and kept where none is set, and refused in production where it could be guessed."""

import os
import secrets
from collections.abc import Iterable, Iterator
from hashlib import sha256
from pathlib import Path

from app.lib.settings import ConfigurationError, Secret

MINIMUM_SECRET_LENGTH = 32
"""Characters; 256 bits of HS256 need 32 bytes (RFC 7518 section 3.2)."""

_DISTINCT_CHARACTERS = 8
_WELL_KNOWN = ("change-me", "changeme", "change_me", "secret", "password", "insecure", "example")


def stretched(secret: Secret) -> str:
    """The secret as it signs: a short one is hashed to 64 characters."""
    text = secret.reveal()
    return text if len(text.encode()) >= MINIMUM_SECRET_LENGTH else sha256(text.encode()).hexdigest()


def keep_secret(path: Path) -> str:
    """The secret in the file, which is made at the first call, readable by its owner only. Raises ``OSError``, and
    ``ConfigurationError`` for a file that holds no usable secret.

    Processes that start together agree on one secret, because the file appears whole or not at all.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".secret_key.{secrets.token_hex(8)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_urlsafe(48))
            os.link(draft, path)
        except FileExistsError:
            pass  # another process was first
        finally:
            draft.unlink(missing_ok=True)
    secret = path.read_text().strip()
    if len(secret) < MINIMUM_SECRET_LENGTH:
        raise ConfigurationError(f"SECRET_KEY: {path} holds no usable key; remove the file to get a new one")
    return secret


def weaknesses(name: str, secrets: Iterable[Secret], *guesses: str) -> Iterator[str]:
    """A line for each secret of this setting that is short, well known or holds one of the guesses."""
    for secret in secrets:
        text = secret.reveal()
        if len(text) < MINIMUM_SECRET_LENGTH:
            yield f"{name}: needs at least {MINIMUM_SECRET_LENGTH} characters in production"
        elif len(set(text)) < _DISTINCT_CHARACTERS or any(word in text.lower() for word in (*_WELL_KNOWN, *guesses)):
            yield f"{name}: a well-known or guessable value is refused in production"
