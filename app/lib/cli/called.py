"""How the program was called, so that the commands in its messages work when they are copied.

Messages name commands in quotes, `'app db upgrade'` and `'just openapi'`, without a word about where the program is.
What writes them for people puts that in front here.
"""

import os
import re
import shutil
import sys
from pathlib import Path

import click

_COMMAND = re.compile(r"(?<=')(?=(?:app|just) [a-z-])")


def caller() -> str:
    """What stood before `app`: `uv run `, a folder that is not in the PATH, or nothing."""
    if "UV_RUN_RECURSION_DEPTH" in os.environ:
        # `uv run` sets it, and the path of uv, which ./dev may have installed here.
        uv, here = Path(os.environ.get("UV", "uv")), Path.cwd()
        return f"{uv.relative_to(here) if uv.is_relative_to(here) else 'uv'} run "
    program, found = Path(sys.argv[0]), shutil.which("app")
    if program.name != "app" or (found and program.exists() and program.samefile(found)):
        return ""
    return f"{program.parent}/"


def as_called(text: str) -> str:
    """A message with its commands as they were called."""
    return _COMMAND.sub(caller(), text)


def say(text: str) -> None:
    """What a person should know or do next, to standard error."""
    click.echo(as_called(text), err=True)
