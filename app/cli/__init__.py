"""The ``app`` command.

Little more than click is imported here: a command's module is loaded when the command runs, so that help is immediate.
A domain's commands are those that its ``commands.py`` defines.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import click

from app.lib.cli.groups import LazyCommand, LazyGroup, find_commands, load
from app.lib.serving.supervised import has_terminal, is_supervised, supervise

COMMANDS = {
    "serve": LazyCommand("app.cli.serve:serve", "Run the service."),
    "worker": LazyCommand("app.cli.worker:worker", "Run background jobs, and nothing else."),
    "db": LazyCommand("app.cli.database:database", "Migrate the database."),
    "shell": LazyCommand("app.cli.shell:shell", "Open a Python prompt with the database and the services."),
    "check": LazyCommand("app.cli.check:check", "Check that the service can run here."),
    "security-check": LazyCommand(
        "app.cli.security_check.command:security_check", "Attack a running deployment, and report what holds."
    ),
    "version": LazyCommand("app.cli.version:version", "Show the version, and what it runs on."),
    "keys": LazyCommand("app.cli.keys:keys", "Make keys, and explain how to change them."),
    "config": LazyCommand("app.cli.configuration:configuration", "Show the settings."),
    "routes": LazyCommand("app.cli.routes:routes", "List the routes and who may call them."),
    "openapi": LazyCommand("app.cli.openapi:openapi", "Export the OpenAPI document."),
    "docs": LazyCommand("app.cli.docs:docs", "Write the documents that come from the code."),
    "new": LazyCommand("app.cli.scaffold.groups:new", "Write a new domain into this checkout, or a new project."),
    "remove": LazyCommand("app.cli.scaffold.groups:remove", "Take a domain out of this checkout."),
    "rename": LazyCommand("app.cli.scaffold.command:rename", "Give this checkout and its product another name."),
    "seed": LazyCommand("app.cli.seed:seed", "Fill the database with demo data."),
    **find_commands(Path(__file__).parents[1] / "domain", "app.domain"),
}

EXIT_CODES = """\b
Exit codes:
  0    done; also `serve` after SIGTERM or Ctrl-C
  1    refused or failed, drift or staleness found
  2    wrong usage
  3    a setting is invalid or missing
  4    the database cannot be reached
  5    something named does not exist, or exists already
  6    the address cannot be listened on
  130  interrupted at a prompt"""
_NO_SERVICE = {"--reload", "--help", "-h", "--debug"}


@click.group(
    cls=LazyGroup,
    lazy=COMMANDS,
    epilog=EXIT_CODES,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="lodestar", message="%(version)s")
@click.pass_context
def main(context: click.Context) -> None:
    """Run and administer the service. Settings come from the environment and from `.env`."""
    context.obj = _make_core


def run() -> None:
    """The console script. A service that no terminal controls gets a supervisor."""
    if sys.argv[1:2] == ["serve"] and not _NO_SERVICE & {*sys.argv} and not is_supervised() and not has_terminal():
        supervise()
    leave_out_unused()
    main()


def leave_out_unused() -> None:
    """Libraries that would use these for what the service never does find them missing, which makes a process 12 MiB
    smaller. Litestar's plugin would load OpenTelemetry, whether that is configured or not.
    """
    for unused in ("rich", "pygments", "pydantic", "litestar.plugins.opentelemetry"):
        sys.modules[unused] = None  # type: ignore[assignment]  # documented: the import fails


def _make_core() -> object:
    make: Callable[[], object] = load("app.cli.process:make_core")
    return make()
