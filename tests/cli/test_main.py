import os
import re
import subprocess
import sys
from pathlib import Path
from pkgutil import resolve_name

import click
import pytest

from app.cli import COMMANDS, EXIT_CODES
from app.cli.scaffold.removal import removable
from app.lib.cli.errors import INTERRUPTED, MISCONFIGURED, CommandFailed
from tests.architecture.test_house_rules import ROOT
from tests.cli.conftest import Cli, refusal


def test_help_names_every_command_and_every_exit_code(cli: Cli) -> None:
    result = cli("--help")

    assert result.exit_code == 0
    for name, command in COMMANDS.items():
        assert re.search(rf"^  {name} +{re.escape(command.summary)}$", result.stdout, re.MULTILINE)
    documented = {int(code) for code in re.findall(r"^  (\d+) ", EXIT_CODES, re.MULTILINE)}
    kinds: list[type[click.ClickException]] = [CommandFailed, *CommandFailed.__subclasses__(), click.UsageError]
    assert documented == {0, MISCONFIGURED, INTERRUPTED, *(kind.exit_code for kind in kinds)}
    assert all(re.search(rf"^ +{code} ", result.stdout, re.MULTILINE) for code in documented)


@pytest.mark.parametrize("words", [[], ["new"], ["remove"]])
def test_help_does_not_wait_for_the_app_to_be_imported(words: list[str]) -> None:
    script = (
        "import sys\nfrom app.cli import main\n"
        f"try:\n    main([*{words}, '--help'])\n"
        "finally:\n    print(sorted({'sqlalchemy', 'litestar', 'granian', 'app.config'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, text=True)  # noqa: S603 - ours

    assert found.stdout.splitlines()[-1] == "[]"


UNUSED = ("rich", "pygments", "pydantic", "redis", "opentelemetry", "sentry_sdk", "google.protobuf", "requests")
"""Some are loaded where their settings are there."""


def test_the_service_does_not_load_what_it_does_not_use() -> None:
    """`app serve` with a wrong port ends after its modules were loaded; then the app is made and started."""
    script = (
        "import asyncio, sys\nfrom app.cli import run\nfrom pkgutil import resolve_name\n"
        "async def live():\n    async with resolve_name('app.asgi:create_app')().lifespan():\n        pass\n"
        "sys.argv = ['app', 'serve', '--port', '0']\n"
        "try:\n    run()\n"
        "finally:\n    asyncio.run(live())\n"
        f"    print(sorted(name for name in {UNUSED} if sys.modules.get(name)))"
    )
    environ = os.environ | {"SECRET_KEY": "x" * 48, "JOBS_WORKER": "off", "DATABASE_URL": "sqlite:///nowhere.db"}
    command = [sys.executable, "-c", script]
    found = subprocess.run(command, capture_output=True, check=False, text=True, env=environ)  # noqa: S603 - ours

    assert found.stdout.splitlines()[-1:] == ["[]"], found.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_can_be_loaded(cli: Cli, name: str) -> None:
    command: click.Command = resolve_name(COMMANDS[name].target)

    assert command.help
    assert cli(name, "--help").exit_code == 0


def test_the_version_is_shown(cli: Cli) -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*\n", cli("--version").stdout)


def test_without_a_command_there_is_help(cli: Cli) -> None:
    result = cli()

    assert result.exit_code == 2
    assert "Exit codes:" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["nonsense"], "Error: No such command 'nonsense'. See 'app --help'."),
        (["--nonsense"], "Error: No such option '--nonsense'. See 'app --help'."),
        (["serve", "--workers", "0"], "0 is not in the range 1<=x<=256. See 'app serve --help'."),
        (["serve", "--port", "http"], "'http' is not a valid integer range. See 'app serve --help'."),
        (["users", "create"], "Error: Missing option '--email'. See 'app users create --help'."),
        (["db", "downgrade"], "Error: Missing argument 'REVISION'. See 'app db downgrade --help'."),
        (["users", "create", "--email", "a@b.example", "--password", "x"], "No such option '--password'"),
    ],
)
def test_wrong_usage_is_one_line(cli: Cli, arguments: list[str], line: str) -> None:
    assert line in refusal(cli(*arguments), 2)


@pytest.mark.parametrize(
    ("environ", "program", "caller"),
    [
        ({}, "/srv/venv/bin/app", ""),
        ({"PATH": "/usr/bin"}, "/srv/venv/bin/app", "/srv/venv/bin/"),
        ({"UV_RUN_RECURSION_DEPTH": "1", "UV": "/opt/uv"}, "/srv/venv/bin/app", "uv run "),
        ({"UV_RUN_RECURSION_DEPTH": "1", "UV": "./.uv/bin/uv"}, "/srv/venv/bin/app", ".uv/bin/uv run "),
        ({}, "/usr/bin/granian", ""),
    ],
)
def test_commands_in_messages_work_as_the_program_was_called(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], program: str, caller: str
) -> None:
    there = tmp_path / "srv/venv/bin"
    there.mkdir(parents=True)
    (there / "app").touch(0o755)
    given = program.replace("/srv", f"{tmp_path}/srv")
    monkeypatch.setattr("sys.argv", [given])
    environ = {"PATH": str(there)} | environ
    if "UV" in environ:
        environ["UV"] = str((tmp_path / environ["UV"]).absolute())

    line = refusal(cli("users", "list", DATABASE_URL="sqlite:///none.db", **environ), 1)

    assert line.endswith(f"run '{caller.replace('/srv', f'{tmp_path}/srv')}app db upgrade'.")


def test_messages_leave_it_to_one_place_how_the_program_was_called() -> None:
    """Those for another folder or environment than this one say `uv run` themselves."""
    own = {"renaming.py", "command.py", "guide.py", "docs.py", "called.py"}
    wrong = [
        f"{path}: {line.strip()}: write 'app …' in quotes, and let app/lib/cli/called.py say `uv run`"
        for path in (ROOT / "app").rglob("*.py")
        for line in path.read_text().splitlines()
        if path.name not in own and re.search(r"uv run (?:app|just)", line)
    ]
    assert not wrong


@pytest.mark.parametrize("command", [("remove", "domain", removable(ROOT)[0]), ("rename", "Tides")])
def test_a_question_that_no_one_can_answer_names_the_option(cli: Cli, command: tuple[str, ...]) -> None:
    assert re.search(
        r"There is no terminal to ask '.+\?' at: use --yes\. See 'app .+ --help'\.$", refusal(cli(*command), 2)
    )


@pytest.mark.parametrize("arguments", [["db", "current"], ["users", "list"], ["routes"], ["config", "show"], ["seed"]])
def test_an_invalid_setting_is_one_line_that_names_it(cli: Cli, arguments: list[str]) -> None:
    line = refusal(cli(*arguments, PORT="eighty"), 3)

    assert line.startswith("Error: PORT: ")
    assert line.endswith("'app config example' lists all settings.")
    assert "eighty" not in line


@pytest.mark.parametrize("arguments", [["users", "list"], ["routes"]])
def test_a_key_that_cannot_be_read_is_one_line_too(cli: Cli, arguments: list[str]) -> None:
    """It is tried by what needs it, later than the settings are read."""
    url = f"sqlite:///{Path.cwd()}/lodestar.db"
    assert cli("db", "upgrade", DATABASE_URL=url).exit_code == 0

    line = refusal(cli(*arguments, DATABASE_URL=url, JWT_PRIVATE_KEY="nonsense"), 3)

    assert line.startswith("Error: JWT_PRIVATE_KEY: ")
