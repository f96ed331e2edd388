import re
from pathlib import Path

import msgspec
import pytest

from app.lib.db import sqlite
from app.lib.db.url import DatabaseURL
from tests.cli.conftest import Cli, refusal


def findings(text: str) -> dict[str, tuple[str, str | None]]:
    return {each["name"]: (each["status"], each["hint"]) for each in msgspec.json.decode(text)}


def test_a_migrated_database_is_good(at: Cli, own_url: DatabaseURL) -> None:
    result = at("check", "--json")

    names = ["settings", *(["sqlite"] if own_url.is_sqlite else []), "database", "migrations"]
    assert findings(result.stdout) == dict.fromkeys(names, ("ok", None))
    assert result.exit_code == 0


def test_a_database_behind_the_code_is_not(at: Cli) -> None:
    at("db", "downgrade", "-1")
    result = at("check")

    assert re.search(r"^migrations +failed +behind +Run 'app db upgrade'\.$", result.stdout, re.MULTILINE)
    assert refusal(result, 1) == "Error: The service cannot run: migrations."


def test_a_file_that_is_not_there_is_not_made(cli: Cli, tmp_path: Path) -> None:
    result = cli("check", "--json")

    assert findings(result.stdout)["migrations"] == ("failed", "Run 'app db upgrade'.")
    assert result.exit_code == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://a:hunter2@127.0.0.1:1/x",
        "postgresql://a:hunter2@127.0.0.1:1/x?sslmode=verify-full",  # without a certificate to verify by
        "sqlite:///.",
    ],
)
def test_a_database_that_cannot_be_used_is_named_with_its_reason(cli: Cli, url: str, tmp_path: Path) -> None:
    result = cli("check", "--json", DATABASE_URL=url, HOME=str(tmp_path))

    status, hint = findings(result.stdout)["database"]
    assert status == "failed"
    assert hint is not None
    assert hint.endswith("Check DATABASE_URL and that the database runs.")
    assert refusal(result, 4) == "Error: The service cannot run: database."
    assert "hunter2" not in result.output


def test_an_sqlite_with_the_wal_bug_is_named(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "VERSION", (3, 46, 1))
    cli("db", "upgrade")
    result = cli("check")

    assert re.search(r"^sqlite +advice +3\.46\.1 of \w+ +Use 3\.51\.3 or newer", result.stdout, re.MULTILINE)
    assert result.exit_code == 0


def test_without_redis_the_service_still_runs(cli: Cli) -> None:
    cli("db", "upgrade")
    result = cli("check", "--json", REDIS_URL="redis://127.0.0.1:1/0")

    assert findings(result.stdout)["redis"] == ("advice", "It does not answer.")
    assert result.exit_code == 0
