"""Which passwords are refused (ASVS 5.0 section 6.2): by length, by a common list, by who the person is.

There are no rules of composition, on purpose [6.2.5]: they lead to ``Password1!``.
"""

import re
from collections.abc import Iterable
from functools import cache
from importlib import resources

from app.lib.errors import FieldCode, FieldError
from app.lib.text import casefold_key

_SEPARATORS = re.compile(r"[\s._,'\u2019+-]+")
_SHORTEST_WORD = 4

TOO_COMMON = "Many people use this password. Choose another."


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
        self, password: str, *, email: str = "", name: str | None = None, username: str | None = None, pointer: str = ""
    ) -> list[FieldError]:
        """All that is wrong with a new password, as errors of the member at ``pointer``; empty when it may be used.

        Refused are passwords on the common list, and those that contain, in any case, a word of 4 or more
        characters out of the owner's name, username or local part of the address. No error repeats the password.
        """

        def error(code: FieldCode, detail: str) -> FieldError:
            return FieldError(pointer=pointer, code=code, detail=detail)

        if len(password) > self.max_length:
            return [error(FieldCode.TOO_LONG, f"Must have at most {self.max_length} characters.")]
        try:
            password.encode()
        except UnicodeEncodeError:  # a lone surrogate
            return [error(FieldCode.INVALID_FORMAT, "Must be valid Unicode text.")]
        errors: list[FieldError] = []
        if len(password) < self.min_length:
            errors.append(error(FieldCode.TOO_SHORT, f"Must have at least {self.min_length} characters."))
        if password.casefold() in self._common:
            errors.append(error(FieldCode.WEAK_PASSWORD, TOO_COMMON))
        folded, local = casefold_key(password), casefold_key(email.rpartition("@")[0])
        names = [part for part in _SEPARATORS.split(casefold_key(name or "")) if part]
        personal = [local, local.partition("+")[0], casefold_key(username or ""), *names, "".join(names)]
        if any(word in folded for word in personal if len(word) >= _SHORTEST_WORD):
            errors.append(error(FieldCode.WEAK_PASSWORD, "Must not contain your name, username or e-mail address."))
        if any(word in folded for word in self._words):
            errors.append(error(FieldCode.WEAK_PASSWORD, "Must not contain the name of this service."))
        return errors


@cache
def common_passwords() -> frozenset[str]:
    """Return the embedded list, casefolded; ``common_passwords.NOTICE`` says where it comes from."""
    file = resources.files("app.lib.security").joinpath("common_passwords.txt")
    return frozenset(file.read_text(encoding="utf-8").split())
