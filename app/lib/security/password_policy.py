"""Which passwords are refused (ASVS 5.0 section 6.2): by length, by a common list, by who the person is.

There are no rules of composition, on purpose [6.2.5]: they lead to ``Password1!``.
"""

import re
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import resources

import msgspec

from app.lib.errors import FieldCode, FieldError
from app.lib.text import casefold_key

_SEPARATORS = re.compile(r"[\s._,'\u2019+-]+")
_SHORTEST_WORD = 4

TOO_COMMON = "Many people use this password. Choose another."


class PasswordFlaw(msgspec.Struct, frozen=True):
    """One reason to refuse a password; ``detail`` is a sentence for its owner that never repeats it."""

    code: FieldCode
    detail: str

    def at(self, pointer: str) -> FieldError:
        """Return the flaw as the error of a request's member, named by a JSON pointer (``/password``)."""
        return FieldError(code=self.code, detail=self.detail, pointer=pointer)


class PasswordPolicy:
    """The rules for a new password, the same wherever one is set.

    Lengths count characters. ``words`` are those of the service itself, such as its name [6.2.11]. Making a
    policy reads the list of common passwords, a file, so make it at start and not in a request.
    """

    def __init__(self, min_length: int = 8, max_length: int = 1024, words: Iterable[str] = ()) -> None:
        self.min_length = min_length
        self.max_length = max_length
        self._words = tuple(casefold_key(word) for word in words if word)
        self._common = common_passwords()

    def check(
        self,
        password: str,
        *,
        email: str | None = None,
        name: str | None = None,
        username: str | None = None,
    ) -> list[PasswordFlaw]:
        """Return everything that is wrong with ``password``; an empty list means that it may be used.

        Refused are passwords on the common list, and those that contain, in any case, a word of 4 or more
        characters out of the owner's name, username or local part of the address.
        """
        if len(password) > self.max_length:
            return [PasswordFlaw(FieldCode.TOO_LONG, f"Must have at most {self.max_length} characters.")]
        try:
            password.encode()
        except UnicodeEncodeError:  # a lone surrogate
            return [PasswordFlaw(FieldCode.INVALID_FORMAT, "Must be valid Unicode text.")]
        flaws: list[PasswordFlaw] = []
        if len(password) < self.min_length:
            flaws.append(PasswordFlaw(FieldCode.TOO_SHORT, f"Must have at least {self.min_length} characters."))
        if password.casefold() in self._common:
            flaws.append(PasswordFlaw(FieldCode.WEAK_PASSWORD, TOO_COMMON))
        folded = casefold_key(password)
        if any(word in folded for word in _personal_words(email, name, username)):
            detail = "Must not contain your name, username or e-mail address."
            flaws.append(PasswordFlaw(FieldCode.WEAK_PASSWORD, detail))
        if any(word in folded for word in self._words):
            flaws.append(PasswordFlaw(FieldCode.WEAK_PASSWORD, "Must not contain the name of this service."))
        return flaws


@cache
def common_passwords() -> frozenset[str]:
    """Return the embedded list, casefolded; ``common_passwords.NOTICE`` says where it comes from."""
    file = resources.files("app.lib.security").joinpath("common_passwords.txt")
    return frozenset(file.read_text(encoding="utf-8").split())


def _personal_words(email: str | None, name: str | None, username: str | None) -> Iterator[str]:
    """Yield what a guesser who knows the person tries first, folded."""
    local = casefold_key((email or "").rpartition("@")[0])
    names = [part for part in _SEPARATORS.split(casefold_key(name or "")) if part]
    candidates = [local, local.partition("+")[0], casefold_key(username or ""), *names, "".join(names)]
    return (word for word in candidates if len(word) >= _SHORTEST_WORD)
