"""The ``app`` command.

Only click is imported here: a command's module is loaded when the command runs, so that help is immediate.
A command is one line in ``COMMANDS``: its name, where it is, and its line in the help.
"""

import click

from app.cli.groups import LazyCommand, LazyGroup

COMMANDS = {
    "serve": LazyCommand("app.cli.serve:serve", "Run the service."),
    "db": LazyCommand("app.cli.database:database", "Migrate the database."),
    "worker": LazyCommand("app.cli.worker:worker", "Run background jobs, and nothing else."),
    "jobs": LazyCommand("app.cli.jobs:jobs", "List background jobs, run them again, cancel and remove them."),
    "events": LazyCommand("app.cli.events:events", "List events, and feed them to a new listener."),
    "users": LazyCommand("app.cli.users:users", "Create and list accounts, set passwords."),
    "mail": LazyCommand("app.cli.mail:mail", "See what was mailed, send it again, try whether mail works."),
    "routes": LazyCommand("app.cli.routes:routes", "List the routes and who may call them."),
    "config": LazyCommand("app.cli.configuration:configuration", "Show the settings."),
    "openapi": LazyCommand("app.cli.openapi:openapi", "Export the OpenAPI document."),
    "asyncapi": LazyCommand("app.cli.openapi:asyncapi", "Export the AsyncAPI document, of what is told in real time."),
    "seed": LazyCommand("app.cli.seed:seed", "Fill the database with demo data."),
}

EXIT_CODES = """\b
Exit codes:
  0    done; also `serve` after SIGTERM or Ctrl-C
  1    refused or failed, drift or staleness found
  2    wrong usage
  3    a setting is invalid or missing
  4    the database cannot be reached
  5    something named is not there, or is there already
  6    the address cannot be listened on
  130  interrupted at a prompt"""


@click.group(
    cls=LazyGroup,
    lazy=COMMANDS,
    epilog=EXIT_CODES,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="lodestar", message="%(version)s")
def main() -> None:
    """Run and administer the service. Settings come from the environment and from `.env`."""
