"""``app new`` and ``app remove``: their help waits for nothing of what they write with."""

import click

from app.lib.cli.groups import LazyCommand, LazyGroup

_COMMANDS = "app.cli.scaffold.command"


@click.group(
    cls=LazyGroup,
    lazy={
        "domain": LazyCommand(f"{_COMMANDS}:domain", "Write the domain NAME, a plural such as `bookmarks`."),
        "project": LazyCommand(f"{_COMMANDS}:project", "Copy this checkout into FOLDER under another name."),
    },
)
def new() -> None:
    """Write a new domain into this checkout, or a new project from it."""


@click.group(
    cls=LazyGroup,
    lazy={"domain": LazyCommand(f"{_COMMANDS}:remove_a_domain", "Remove the domain NAME, and those that stand on it.")},
)
def remove() -> None:
    """Take a domain out of this checkout."""
