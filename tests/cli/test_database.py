import json
import time
from pathlib import Path

import pytest

from app.lib.db.url import DatabaseURL
from tests.cli.conftest import Cli, execute, refusal, text_of


def test_a_new_database_is_brought_to_head_and_back(cli: Cli, empty_url: DatabaseURL) -> None:
    url = text_of(empty_url)
    before = json.loads(cli("db", "current", "--json", DATABASE_URL=url).stdout)
    head = before["head"]
    assert before == {"revision": None, "head": head, "is_current": False}

    assert cli("db", "upgrade", DATABASE_URL=url).stdout == f"The database is at {head}.\n"
    after = json.loads(cli("db", "current", "--json", DATABASE_URL=url).stdout)
    assert after == {"revision": head, "head": head, "is_current": True}
    assert cli("db", "current", DATABASE_URL=url).stdout == f"{head} (head)\n"
    assert cli("db", "upgrade", DATABASE_URL=url).exit_code == 0

    assert cli("db", "downgrade", "base", DATABASE_URL=url).stdout == "The database is at base.\n"
    assert cli("db", "current", DATABASE_URL=url).stdout == f"base (head is {head})\n"


def test_one_step_down_is_minus_one(at: Cli) -> None:
    assert at("db", "downgrade", "-1").exit_code == 0
    assert json.loads(at("db", "current", "--json").stdout)["is_current"] is False


def test_commands_that_read_create_no_database(cli: Cli, tmp_path: Path) -> None:
    assert cli("db", "current").stdout.startswith("base (head is ")
    refusal(cli("db", "check"), 1)

    assert list(tmp_path.iterdir()) == []


def test_check_passes_at_head(at: Cli) -> None:
    assert at("db", "check").exit_code == 0
    assert json.loads(at("db", "check", "--json").stdout)["differences"] == []


def test_check_fails_below_head(cli: Cli, empty_url: DatabaseURL) -> None:
    line = refusal(cli("db", "check", DATABASE_URL=text_of(empty_url)), 1)

    assert "The database is at base, head is" in line
    assert line.endswith("run 'app db upgrade'.")


def test_check_fails_on_drift(at: Cli, own_url: DatabaseURL) -> None:
    execute(own_url, "ALTER TABLE roles ADD COLUMN colour VARCHAR(20)")

    execute(own_url, "DROP INDEX ix_users_name_key_id")
    lines = [
        "roles.colour: the models have no such column, the database has VARCHAR(20)",
        "users: the models have the index ix_users_name_key_id (name_key, id), the database has no such index",
    ]

    checked = at("db", "check")

    assert checked.stdout.splitlines() == lines
    assert (
        refusal(checked, 1) == "Error: Models and database differ (2). "
        "Run 'app db revision -m \"what it is for\"' and read what it writes."
    )
    result = at("db", "check", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["differences"] == lines


def test_an_unknown_revision_is_named(at: Cli) -> None:
    assert "nonsense" in refusal(at("db", "upgrade", "nonsense"), 5)
    assert "nonsense" in refusal(at("db", "downgrade", "nonsense"), 5)


def test_a_downgrade_in_production_needs_confirmation(at: Cli) -> None:
    production = {
        "ENVIRONMENT": "production",
        "SECRET_KEY": "pT4vQ8xW2zR6nM0kB5jH9gF3dS7aL1cY",
        "PUBLIC_URL": "https://api.example.com",
    }

    assert "--yes" in refusal(at("db", "downgrade", "base", **production), 1)
    assert at("db", "current").stdout.endswith("(head)\n")
    assert at("db", "downgrade", "base", "--yes", **production).exit_code == 0


@pytest.mark.parametrize(
    "command", [["db", "upgrade"], ["db", "check"], ["db", "current"], ["users", "list"], ["seed"]]
)
def test_a_database_that_is_not_there_is_one_line(cli: Cli, command: list[str]) -> None:
    line = refusal(cli(*command, DATABASE_URL="postgresql://owner:hidden@127.0.0.1:1/own"), 4)

    assert "postgresql+asyncpg://owner:***@127.0.0.1:1/own cannot be used" in line
    assert line.endswith("Check DATABASE_URL and that the database runs.")


def test_an_upgrade_waits_for_a_database_that_comes_later(
    cli: Cli, empty_url: DatabaseURL, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, url = empty_url.url.database, text_of(empty_url)
    if empty_url.is_sqlite:
        empty_url.path.write_text("This is not a database yet. " * 100)
    else:
        other = DatabaseURL(empty_url.url.set(database="postgres"))
        execute(other, f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')

    def come(_seconds: float) -> None:
        if empty_url.is_sqlite:
            empty_url.path.unlink()
        else:
            execute(other, f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')

    assert refusal(cli("db", "upgrade", DATABASE_URL=url), 4)
    with monkeypatch.context() as patched:
        patched.setattr(time, "sleep", come)
        result = cli("db", "upgrade", "--wait", "60", DATABASE_URL=url)

    assert result.exit_code == 0
    assert result.stderr.startswith("Waiting up to 60 s. The database ")
    assert cli("db", "current", DATABASE_URL=url).stdout.endswith("(head)\n")


def test_an_upgrade_gives_up_waiting(cli: Cli) -> None:
    result = cli("db", "upgrade", "--wait", "1", DATABASE_URL="postgresql://owner:hidden@127.0.0.1:1/own")

    waiting, line = result.stderr.splitlines()
    assert (result.exit_code, waiting) == (4, "Waiting up to 1 s. " + line.removeprefix("Error: "))
    assert cli("db", "upgrade", "--wait", "-1").exit_code == 2


def test_a_file_that_cannot_be_made_is_one_line(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    line = refusal(cli("db", "upgrade", DATABASE_URL=f"sqlite:///{tmp_path}/file/own.db"), 4)

    assert "cannot be used" in line


def test_a_file_that_is_no_database_is_one_line(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("This is not a database. " * 100)

    assert "file is not a database" in refusal(cli("db", "current", DATABASE_URL=f"sqlite:///{tmp_path}/text.db"), 4)


@pytest.mark.parametrize("empty_url", ["postgresql"], indirect=True)
def test_a_server_that_lacks_the_database_is_one_line(cli: Cli, empty_url: DatabaseURL) -> None:
    url = DatabaseURL(empty_url.url.set(database="nonsense"))

    assert 'database "nonsense" does not exist' in refusal(cli("db", "upgrade", DATABASE_URL=text_of(url)), 4)
