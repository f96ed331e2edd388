"""Text that is compared, sorted or searched."""

import re
import unicodedata


def casefold_key(text: str) -> str:
    """Return the form in which case and compatibility variants of a text are equal: NFKC and casefold.

    Folding twice changes nothing, which one round of each would not promise (Unicode section 3.13, D146).
    Time is quadratic in the length for hostile input, so the caller bounds it.
    """
    folded = unicodedata.normalize("NFKC", text)
    while (again := unicodedata.normalize("NFKC", folded.casefold())) != folded:
        folded = again
    return folded


def product_token(name: str) -> str:
    """A name as one word of a ``User-Agent`` (RFC 9110 section 5.6.2): ASCII letters and digits, joined by hyphens."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9]+", "-", plain).strip("-") or "Service"
