"""What several commands share and what costs little to import."""

import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

import click
import msgspec

from app.lib.cli.errors import CommandFailed

T = TypeVar("T")

json_option = click.option("--json", "as_json", is_flag=True, help="Write JSON.")
"""For a command that reads."""


def write_json(value: Any) -> None:
    """To standard output, indented."""
    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def write_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """To standard output, in columns as wide as they need to be."""
    widths = [max(len(row[i]) for row in (header, *rows)) for i in range(len(header))]
    for row in (header, *rows):
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def write_list(found: Sequence[object], columns: Mapping[str, str], *, as_json: bool, empty: str = "") -> None:
    """What a command has found: as it is in JSON, or a row each. ``columns`` are the attributes by their headings,
    and ``empty`` is written for None.
    """
    if as_json:
        write_json(found)
    else:
        write_table([*columns], [[shown(getattr(each, name), empty) for name in columns.values()] for each in found])


def shown(value: Any, empty: str = "") -> str:
    """A value in a table: instants to the second in UTC, flags as yes and no, ``empty`` for None."""
    match value:
        case None:
            return empty
        case bool():
            return "yes" if value else "no"
        case datetime():
            return value.strftime("%Y-%m-%d %H:%M:%SZ")
        case list():
            return ",".join(map(shown, value))
        case _:
            return str(value)


yes_option = click.option("--yes", is_flag=True, help="Do not ask.")
"""For a command that calls ``confirm``."""


def confirm(question: str) -> None:
    """Raises ``click.Abort`` for no, and ``click.UsageError`` where no one can answer."""
    if not sys.stdin.isatty():
        raise click.UsageError(f"There is no terminal to ask '{question}' at: use --yes.")
    click.confirm(question, abort=True, err=True)


def with_password(check: Callable[[], object], save: Callable[[str], T], *, from_stdin: bool) -> T:
    """What ``save`` makes of a new password. In a terminal, ``check`` is called before it is asked for, and one that is
    refused is asked for again. Raises ``CommandFailed``.
    """
    if from_stdin or not sys.stdin.isatty():
        return save(read_password(from_stdin=from_stdin))
    check()
    while True:
        try:
            return save(read_password(from_stdin=False))
        except CommandFailed as refused:
            if not refused.message.startswith("password: "):
                raise
            click.echo(f"{refused.message} Try again, or end with Ctrl-C.", err=True)


def read_password(*, from_stdin: bool) -> str:
    """A new password: asked for twice and not shown, or one line of standard input without its line end."""
    if not from_stdin:
        if not sys.stdin.isatty():
            raise click.UsageError("There is no terminal to ask for a password: use --password-stdin.")
        return str(click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
    line = sys.stdin.buffer.readline()
    line = line.removesuffix(b"\n").removesuffix(b"\r")
    try:
        text = line.decode()
    except UnicodeDecodeError as exc:
        raise click.UsageError("The password is not UTF-8.") from exc
    if not text:
        raise click.UsageError("The password is empty.")
    return text
