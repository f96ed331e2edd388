"""Command groups that load their commands late and report errors in one line."""

import ast
import gc
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, NamedTuple

import click

from app.lib.cli.called import caller, say
from app.lib.cli.errors import INTERRUPTED, MISCONFIGURED
from app.lib.settings import ConfigurationError


class LazyCommand(NamedTuple):
    """``target`` is ``module:attribute``; ``summary`` is what the group's help says of it."""

    target: str
    summary: str
    others: frozenset[str] = frozenset()
    """Modules that add commands to it."""


def load(target: str) -> Any:
    """What ``module:attribute`` names. Nothing that a module makes while it is imported is garbage, so it is not looked
    for, which would take a sixth of the time.
    """
    gc.disable()
    try:
        return resolve_name(target)
    finally:
        gc.enable()


def find_commands(package: Path, name: str) -> dict[str, LazyCommand]:
    """The click commands that modules ``commands.py`` below a package define at their top level, by function name. A
    module may add commands to the group of a module before it, as ``@group.command()``.

    Found in the text, because help must not wait for the modules to be imported.
    """
    found: dict[str, LazyCommand] = {}
    for path in sorted(package.glob("*/commands.py")):
        module = f"{name}.{path.parent.name}.commands"
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            decorators = [ast.unparse(each).split("(")[0] for each in getattr(node, "decorator_list", ())]
            if isinstance(node, ast.FunctionDef) and {"click.group", "click.command"} & set(decorators):
                summary = (ast.get_docstring(node) or "").split(". ")[0].splitlines()[0].rstrip(".") + "."
                found[node.name] = LazyCommand(f"{module}:{node.name}", summary)
            for group in {each.removesuffix(".command") for each in decorators} & found.keys():
                found[group] = found[group]._replace(others=found[group].others | {module})
    return found


class LazyGroup(click.Group):
    """The outermost group."""

    def __init__(self, *args: Any, lazy: Mapping[str, LazyCommand], **options: Any) -> None:
        super().__init__(*args, **options)
        self._lazy = lazy

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._lazy)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        found = self._lazy.get(cmd_name)
        if found is None:
            return None
        command: click.Command = load(found.target)
        for module in found.others:
            load(module)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.summary) for name, command in self._lazy.items()])

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,  # the signature is click's
        windows_expand_args: bool = True,  # the signature is click's
        **extra: Any,
    ) -> Any:
        """Like click's own, except that every error is one line on standard error."""
        try:
            code = super().main(args, prog_name or f"{caller()}app", complete_var, standalone_mode=False, **extra)
        except click.exceptions.NoArgsIsHelpError as exc:
            exc.show()
            code = exc.exit_code
        except click.UsageError as exc:
            path = exc.ctx.command_path if exc.ctx else "app"
            _complain(f"{exc.format_message()} See '{path} --help'.")
            code = exc.exit_code
        except click.ClickException as exc:
            _complain(exc.format_message())
            code = exc.exit_code
        except ConfigurationError as exc:
            *first, last = str(exc).splitlines() or [""]
            for line in first:
                _complain(line)
            _complain(f"{last.removesuffix('.')}. 'app config example' lists all settings.")
            code = MISCONFIGURED
        except click.Abort:
            _complain("Interrupted.")
            code = INTERRUPTED
        sys.exit(code if isinstance(code, int) else 0)


def _complain(text: str) -> None:
    say("Error: " + " ".join(text.split()))
