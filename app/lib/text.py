"""Text that is compared, sorted or searched."""

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
