"""How a command fails: in one line, with an exit code that ``app --help`` documents."""

from typing import ClassVar

import click

MISCONFIGURED = 3
INTERRUPTED = 130


class CommandFailed(click.ClickException):
    """Refused or failed. ``message`` says what is wrong and ``hint`` what to do about it, in whole sentences."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(f"{message} {hint}".strip())


class Misconfigured(CommandFailed):
    """Settings are wrong."""

    exit_code: ClassVar[int] = MISCONFIGURED


class DatabaseUnusable(CommandFailed):
    """The database cannot be reached, or is in no state to be used."""

    exit_code: ClassVar[int] = 4


class MissingOrTaken(CommandFailed):
    """Something that the command names is not there, or is there already."""

    exit_code: ClassVar[int] = 5


class AddressUnusable(CommandFailed):
    """Nothing can listen on the address."""

    exit_code: ClassVar[int] = 6
