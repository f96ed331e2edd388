"""Every command where there is no database: one line, and the exit code that the help documents."""

import asyncio
from collections.abc import Iterator

import click
import pytest
from sqlalchemy import text

from app.cli import COMMANDS, main
from app.lib.db.engine import Database, DatabaseOptions
from app.lib.db.url import DatabaseURL
from tests.cli.conftest import Cli, refusal, text_of
from tests.support.processes import free_port

WRITES_CODE = {"new", "remove", "rename", "docs"}
"""They change a checkout, and look at no database."""
NEEDS_NONE = {
    *("version", "config show", "config example", "keys generate", "routes", "openapi export"),
    *("mail test", "mail preview", "db merge"),
}
STAYS = {"worker"}
"""It waits for the database."""
OTHER_CODES = {"security-check": 2, "db restore": 5, "db reset": 2}
"""Nothing answers there, there is no such file, and there is no terminal to ask at."""
VALUES = {
    "url": "http://127.0.0.1:1",
    "template": "test",
    "older_than": "1",
    "since": "2026-01-01",
    "revision": "-1",
    "reference": "<1@example.com>",
}
GIVEN = ("a@b.example", "0193a3c4-0000-7000-8000-000000000001")
"""To others: a text, or an id."""
PASSWORD = "purple monkey dishwasher 42"


def leaves(command: click.Command, path: tuple[str, ...]) -> Iterator[tuple[str, click.Command]]:
    if isinstance(command, click.Group):
        for name, each in command.commands.items():
            yield from leaves(each, (*path, name))
    else:
        yield " ".join(path), command


def arguments(command: click.Command) -> list[str]:
    """What the command asks for, and that it reads a password."""
    found: list[str] = []
    for each in command.params:
        if each.required or (isinstance(each, click.Argument) and not isinstance(each.default, str)):
            found += [each.opts[-1]] if isinstance(each, click.Option) else []
            found.append(VALUES.get(str(each.name), GIVEN[isinstance(each.type, click.types.UUIDParameterType)]))
        elif each.name == "password_stdin":
            found.append("--password-stdin")
    return found


@pytest.fixture(scope="module")
def commands() -> dict[str, list[str]]:
    """Every command of the tree with its arguments, so that a new one is walked, too."""
    found: dict[str, list[str]] = {}
    for name in sorted(COMMANDS.keys() - WRITES_CODE):  # those that turn the log on come last
        command = main.get_command(click.Context(main), name)
        assert command is not None
        found |= {path: arguments(each) for path, each in leaves(command, (name,))}
    assert len(found) > 40
    return found


def walk(cli: Cli, commands: dict[str, list[str]], url: str, codes: dict[str, int], code: int) -> dict[str, str]:
    """The line of each command, which ends with its code in the table, else with this one."""
    said: dict[str, str] = {}
    for name, given in commands.items():
        environ = {"DATABASE_URL": url, "PORT": str(free_port()), "SECRET_KEY": "pT4vQ8xW2zR6nM0kB5jH9gF3dS7aL1cY"}
        result = cli(*name.split(), *given, stdin=PASSWORD, **environ)
        expected = codes.get(name, OTHER_CODES.get(name, 0 if name in NEEDS_NONE else code))
        assert "hunter2" not in result.output, name
        if expected:
            said[name] = refusal(result, expected)
            assert (result.stdout == "") is (name != "check"), (name, result.stdout)
        else:
            assert result.exit_code == 0, (name, result.output)
    return said


def test_a_server_that_refuses_connections(cli: Cli, commands: dict[str, list[str]]) -> None:
    commands = {name: given for name, given in commands.items() if name not in STAYS}
    said = walk(cli, commands, "postgresql://ann:hunter2@127.0.0.1:1/x", {"db restore": 4}, 4)

    reason = "cannot be used: Connection refused. Check DATABASE_URL and that the database runs."
    lines = [line for name, line in said.items() if name not in {*OTHER_CODES, "check"}]
    assert {line.partition("/x ")[2] for line in lines} == {reason}


def test_a_file_in_a_folder_that_cannot_be_made(cli: Cli, commands: dict[str, list[str]]) -> None:
    commands = {name: given for name, given in commands.items() if name not in STAYS}
    codes = {"serve": 4, "db upgrade": 4, "db downgrade": 4, "db backup": 5, "db current": 0}
    said = walk(cli, commands, "sqlite:////proc/nothing/own.db", codes, 1)

    assert "No such file or directory" in said["db upgrade"]
    assert said["users list"].endswith("run 'app db upgrade'.")


def test_a_schema_of_a_newer_release(cli: Cli, commands: dict[str, list[str]], own_url: DatabaseURL) -> None:
    asyncio.run(_make_newer(own_url))
    commands = {name: given for name, given in commands.items() if name != "db backup"}  # pg_dump may be missing
    said = walk(cli, commands, text_of(own_url), {"db current": 0, "db downgrade": 5}, 1)

    assert "of a newer release" in said["worker"]
    assert said["worker"] == said["serve"] == said["users list"]


async def _make_newer(url: DatabaseURL) -> None:
    database = Database(DatabaseOptions(url=url))
    async with database.engine.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        await connection.execute(text("INSERT INTO breaking_migrations VALUES ('9999')"))
    await database.close()
