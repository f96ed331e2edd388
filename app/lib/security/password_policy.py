"""Which passwords are refused (ASVS 5.0 section 6.2): by length, as guessable, by who the person is.

There are no rules of composition, on purpose [6.2.5]: they lead to ``Password1!``.
"""

import re
from collections.abc import Iterable
from functools import cache
from importlib import resources
from itertools import pairwise, product, takewhile

from app.lib.errors import FieldCode, FieldError
from app.lib.security.passwords import composed
from app.lib.text import casefold_key

_SEPARATORS = re.compile(r"[\s._,'\u2019+-]+")
_SHORTEST_WORD = 4

_FEWEST_CHARACTERS = 4
_SHORTEST_UNIT, _LONGEST_UNIT = 8, 32
_MOST_BEFORE, _MOST_BEHIND = 5, 5
_ROWS = (
    "abcdefghijklmnopqrstuvwxyz 01234567890 qwertyuiop asdfghjkl zxcvbnm qwertzuiop yxcvbnm azertyuiop qsdfghjklm "
    "wxcvbn !@#$%^&*() \u0430\u0431\u0432\u0433\u0434\u0435 \u0439\u0446\u0443\u043a\u0435\u043d\u0433"
)
_STEPS = frozenset(first + second for row in _ROWS.split() for first, second in (*pairwise(row), *pairwise(row[::-1])))
"""Two characters that follow each other in the alphabet, in digits or on a keyboard, in either direction."""

# "Password" in languages that the list does not have.
_PASSWORD_ELSEWHERE = frozenset(
    ["contraseña", "пароль", "şifre", "mot-de-passe", "motdepasse", "密码", "密碼", "パスワード", "наташа", "любовь"]
)
TOO_COMMON = "Many people use this password, perhaps with another sign. Choose another."
TOO_SIMPLE = "Characters that repeat or follow each other are easy to guess. Choose another."


class PasswordPolicy:
    """The rules for a new password, the same wherever one is set.

    Lengths count characters. ``words`` are those of the service itself, such as its name [6.2.11]. Making a
    policy reads the list of common passwords, a file, so make it at start and not in a request.
    """

    def __init__(self, min_length: int = 8, max_length: int = 1024, words: Iterable[str] = ()) -> None:
        self.min_length = min_length
        self.max_length = max_length
        self._words = tuple(casefold_key(word) for word in words if len(word) >= _SHORTEST_WORD)
        common_passwords()

    def check(
        self, password: str, *, email: str = "", name: str | None = None, username: str | None = None, pointer: str = ""
    ) -> list[FieldError]:
        """All that is wrong with a new password, as errors of the member at ``pointer``; empty when it may be used.

        Refused are guessable passwords, and those that contain, in any case, a word of 4 or more characters out of the
        owner's name, username or local part of the address. No error repeats the password.
        """
        password = composed(password)

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
        if (reason := guessable(password)) is not None and (reason == TOO_COMMON or not errors):
            errors.append(error(FieldCode.WEAK_PASSWORD, reason))
        folded, local = casefold_key(password), casefold_key(email.rpartition("@")[0])
        names = [part for part in _SEPARATORS.split(casefold_key(name or "")) if part]
        personal = [local, local.partition("+")[0], casefold_key(username or ""), *names, "".join(names)]
        if any(word in folded for word in personal if len(word) >= _SHORTEST_WORD):
            errors.append(error(FieldCode.WEAK_PASSWORD, "Must not contain your name, username or e-mail address."))
        if any(word in folded for word in self._words):
            errors.append(error(FieldCode.WEAK_PASSWORD, "Must not contain the name of this service."))
        return errors


def guessable(password: str) -> str | None:
    """Why a password is among the first that are tried, as a text for people; None when it is not.

    Looks past case, white space and a unit that repeats. Guessable are then passwords on the common list, also with a
    few digits and signs around them, few different characters, and runs through the alphabet or a keyboard.
    """
    text = "".join(casefold_key(password).split())
    unit = _repeated_unit(text)
    if _is_common(unit):
        return TOO_COMMON
    is_short = unit != text and len(unit) < _SHORTEST_UNIT
    letters = "".join(each for each in unit if each.isalpha())
    is_short |= len(set(letters)) < _FEWEST_CHARACTERS and len(letters) * 2 > len(unit)
    runs = 1 + sum(first != second and first + second not in _STEPS for first, second in pairwise(unit))
    return TOO_SIMPLE if is_short or len(set(unit)) < _FEWEST_CHARACTERS or runs * 4 <= len(unit) else None


def _repeated_unit(text: str) -> str:
    """What the text repeats twice or more, the last time perhaps not whole; else the text itself."""
    sizes = range(1, min(len(text) // 2, _LONGEST_UNIT) + 1)
    return next((text[:size] for size in sizes if text[size:] == text[:-size]), text)


def _is_common(text: str) -> bool:
    before = sum(1 for _ in takewhile(lambda each: not each.isalpha(), text[:_MOST_BEFORE]))
    behind = sum(1 for _ in takewhile(lambda each: not each.isalpha(), text[: -_MOST_BEHIND - 1 : -1]))
    cuts = product(range(before + 1), range(behind + 1))
    words = (text[start : len(text) - end] for start, end in cuts)
    return any(word in common_passwords() or word in _PASSWORD_ELSEWHERE for word in words)


@cache
def common_passwords() -> frozenset[str]:
    """Return the embedded list, casefolded; ``common_passwords.NOTICE`` says where it comes from."""
    file = resources.files("app.lib.security").joinpath("common_passwords.txt")
    return frozenset(file.read_text(encoding="utf-8").split())
