"""``app db revision`` and ``merge``: what they write, and what they say about it."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import Result

from app import core
from app.cli import database
from app.cli.scaffold.formatting import require_ruff
from app.core import MIGRATIONS
from app.lib.db.migrations import Migrations
from app.lib.db.url import DatabaseURL
from tests.cli.conftest import Cli, execute, refusal, text_of
from tests.support.processes import free_port

ROOT = Path(__file__).parents[2]


@pytest.fixture
def history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the migrations, which commands write into."""
    folder = tmp_path / "migrations"
    shutil.copytree(MIGRATIONS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    for module in (database, core):
        monkeypatch.setattr(module, "MIGRATIONS", folder)
    return folder / "versions"


def test_a_revision_is_written_from_the_difference(at: Cli, own_url: DatabaseURL, history: Path) -> None:
    execute(own_url, "ALTER TABLE roles ADD COLUMN colour VARCHAR(20)")

    path = Path(at("db", "revision", "-m", "no colour").stdout.strip())

    assert path.parent == history
    assert re.fullmatch(r"\d{14}_no_colour\.py", path.name)
    assert 'drop_column("colour")' in path.read_text()
    assert refusal(at("db", "revision", "-m", "again"), 1).endswith("not up to date: run 'app db upgrade'.")
    assert at("db", "upgrade").exit_code == at("db", "check").exit_code == 0
    assert "no difference" in at("db", "revision", "-m", "by hand").stderr


def test_a_revision_needs_a_database_at_head(cli: Cli, empty_url: DatabaseURL, history: Path) -> None:
    before = sorted(history.glob("*.py"))

    line = refusal(cli("db", "revision", "-m", "too soon", DATABASE_URL=text_of(empty_url)), 1)

    assert line.endswith("not up to date: run 'app db upgrade'.")
    assert sorted(history.glob("*.py")) == before


def test_two_branches_are_found_and_merged(at: Cli, own_url: DatabaseURL, history: Path) -> None:
    head = Migrations(own_url, MIGRATIONS).head
    for number, column in (("20300101000001", "mine"), ("20300101000002", "theirs")):
        (history / f"{number}_{column}.py").write_text(
            "import sqlalchemy as sa\nfrom alembic import op\n"
            f"revision = '{number}'\ndown_revision = '{head}'\nbranch_labels = depends_on = None\n"
            f"def upgrade() -> None:\n    op.add_column('roles', sa.Column('{column}', sa.Integer()))\n"
            f"def downgrade() -> None:\n    op.drop_column('roles', '{column}')\n"
        )
    commands = [["db", "check"], ["db", "upgrade"], ["db", "revision", "-m", "x"], ["users", "list"], ["worker"]]
    for command in [*commands, ["serve", "--port", str(free_port())]]:
        assert refusal_of(at(*command)).endswith("of two branches: run 'app db merge'."), command
    assert "run 'app db merge'" in at("check").stdout

    path = Path(at("db", "merge").stdout.strip())
    assert re.fullmatch(r"\d{14}_merge\.py", path.name)
    lint(path)
    assert "nothing to merge" in at("db", "merge").stderr

    for revision in ("20300101000002", "20300101000001"):  # as developers have them who have tried both branches
        assert at("db", "upgrade", revision).exit_code == 0
    assert at("db", "current").stdout.startswith("20300101000001, 20300101000002 (head is ")
    assert refusal(at("users", "list"), 1).endswith("run 'app db upgrade'.")
    assert at("db", "upgrade").exit_code == 0
    assert at("db", "check").stdout.splitlines() == [
        f"roles.{column}: the models have no such column, the database has INTEGER" for column in ("mine", "theirs")
    ]
    assert at("db", "downgrade", str(head)).exit_code == 0
    assert at("db", "upgrade").exit_code == at("users", "list").exit_code == 0


def refusal_of(result: Result) -> str:
    """The last line of a command that may have logged before."""
    assert result.exit_code == 1
    return result.stderr.splitlines()[-1]


DRIFT = (
    "ALTER TABLE roles ADD COLUMN colour VARCHAR(20)",
    "DROP INDEX ix_users_name_key_id",
    "DROP TABLE rate_limits",
    "CREATE TABLE hats (id integer PRIMARY KEY, size integer NOT NULL DEFAULT 7, owner_id integer, UNIQUE (size))",
    "CREATE UNIQUE INDEX ix_hats_owner_id ON hats (owner_id) WHERE size > 3",
)
POSTGRESQL_DRIFT = (
    "ALTER TABLE roles ALTER name DROP NOT NULL, ALTER name TYPE varchar(7)",
    "ALTER TABLE posts DROP CONSTRAINT fk_posts_author_id",
    "ALTER TABLE roles DROP CONSTRAINT uq_roles_name",
    "ALTER TABLE hats ADD CONSTRAINT fk_hats_self FOREIGN KEY (owner_id) REFERENCES hats (id)",
    "COMMENT ON TABLE roles IS 'it''s \"old\"'",
    'COMMENT ON COLUMN roles.name IS \'a \\ and """\'',
)


def lint(path: Path) -> None:
    """As `just lint` does, in its place."""
    for command in (["check"], ["format", "--check"]):
        name = f"--stdin-filename={MIGRATIONS / 'versions' / path.name}"
        done = subprocess.run(  # noqa: S603 - ours
            [require_ruff(), *command, name, "-"], input=path.read_bytes(), cwd=ROOT, capture_output=True, check=False
        )
        assert done.returncode == 0, (done.stdout + done.stderr).decode() + path.read_text()


@pytest.mark.parametrize(
    ("message", "docstring"),
    [
        ("it's", "it's"),
        ('say "hi"', 'say "hi"'),
        ('"""\nimport os\n"""', '""" import os """'),
        ("C:\\new\\", "C:\\new\\"),
        ("two\nlines\u2028\x1b[1m", "two lines [1m"),
        ("${1 + 1} <% %> ## é—", "${1 + 1} <% %> ## é—"),
        ("long " * 40, ("long " * 40).strip()),
    ],
)
@pytest.mark.parametrize("empty_url", ["sqlite"], indirect=True)
def test_a_message_is_words_whichever_signs_it_has(at: Cli, history: Path, message: str, docstring: str) -> None:
    path = Path(at("db", "revision", "-m", message).stdout.strip())

    namespace: dict[str, object] = {}
    exec(compile(path.read_text(), path, "exec"), namespace)  # noqa: S102 - what is written must be Python
    assert namespace["__doc__"] == docstring
    assert path.parent == history
    lint(path)


def test_an_empty_message_is_refused(at: Cli, history: Path) -> None:
    before = set(history.iterdir())

    assert "few words" in at("db", "revision", "-m", " \n").stderr
    assert at("db", "revision", "-m", "").exit_code == 2
    assert set(history.iterdir()) == before


def test_what_is_written_passes_lint_and_runs_both_ways(at: Cli, own_url: DatabaseURL, history: Path) -> None:
    for statement in DRIFT + (() if own_url.is_sqlite else POSTGRESQL_DRIFT):
        execute(own_url, statement)

    result = at("db", "revision", "-m", "all kinds of changes")

    path = Path(result.stdout.strip())
    lint(path)
    assert "###" not in path.read_text()
    warnings = (
        ""
        if own_url.is_sqlite
        else (
            "roles.name becomes NOT NULL, which fails where a row has NULL: fill those rows first.\n"
            "uq_roles_name is unique, which fails where rows of roles have the same values: change those rows first.\n"
        )
    )
    assert sorted(result.stderr.splitlines()) == sorted(warnings.splitlines())
    for command in ("upgrade", "check", "downgrade", "upgrade", "check"):
        assert at("db", command, *(["-1"] if command == "downgrade" else [])).exit_code == 0, command


def test_a_column_that_rows_cannot_have_is_said_and_fails_in_one_line(
    at: Cli, own_url: DatabaseURL, history: Path
) -> None:
    execute(own_url, "ALTER TABLE roles DROP COLUMN requires_mfa")
    now = "'2026-01-01 12:00:00+00:00'"
    values = f"'0193a3c4000070008000000000000001', 'editor', {now}, {now}, 1"
    execute(own_url, f"INSERT INTO roles (id, name, created_at, updated_at, version) VALUES ({values})")  # noqa: S608 - own values

    result = at("db", "revision", "-m", "roles that need a second factor")

    assert "roles.requires_mfa is new, NOT NULL and without a default, which fails where" in result.stderr
    path = Path(result.stdout.strip())
    before = at("db", "current").stdout
    line = refusal(at("db", "upgrade"), 1)
    assert line.startswith(f"Error: Migration {path.name} failed in line ")
    assert "null" in line.lower()
    assert line.endswith(" Nothing was changed.")
    assert at("db", "current").stdout == before

    path.write_text(path.read_text().replace("nullable=False", "nullable=False, server_default=sa.false()"))
    assert at("db", "upgrade").exit_code == 0

    path.write_text(path.read_text() + "\n\nthis is no Python\n")
    for command in (["upgrade"], ["check"], ["revision", "-m", "x"], ["merge"], ["downgrade", "-1"]):
        assert f"Migration {path.name} failed in line" in refusal(at("db", *command), 1)


def test_a_database_of_another_branch_has_two_ways_out(at: Cli, own_url: DatabaseURL, history: Path) -> None:
    own = Path(at("db", "revision", "-m", "of this branch").stdout.strip())
    other = history / "20300101000001_theirs.py"
    other.write_text(own.read_text().replace(own.name[:14], "20300101000001"))
    text = own.read_text()
    own.unlink()
    assert at("db", "upgrade").exit_code == 0  # there, and now back here
    theirs = other.read_text()
    other.unlink()
    own.write_text(text)

    for command, code in ((["revision", "-m", "x"], 1), (["check"], 1), (["downgrade", "-1"], 5), (["upgrade"], 0)):
        result = at("db", *command)
        assert result.exit_code == code, command
        assert "run 'app db downgrade -1' there for each of its migrations" in result.stderr, command
        assert result.stderr.endswith("or delete all data and start again: 'app db reset'.\n"), command
    assert "20300101000001, which is not in migrations/versions here" in at("db", "downgrade", "-1").stderr

    own.unlink()
    other.write_text(theirs)
    assert at("db", "downgrade", "-1").exit_code == 0
    other.unlink()
    own.write_text(text)
    assert at("db", "upgrade").exit_code == at("db", "check").exit_code == 0


def test_a_reset_starts_again_from_any_state(at: Cli, own_url: DatabaseURL) -> None:
    execute(own_url, "UPDATE alembic_version SET version_num = 'elsewhere'")
    execute(own_url, "CREATE TABLE hats (id integer PRIMARY KEY)")
    production = {
        "ENVIRONMENT": "production",
        "SECRET_KEY": "pT4vQ8xW2zR6nM0kB5jH9gF3dS7aL1cY",
        "PUBLIC_URL": "https://api.example.com",
    }

    assert at("db", "reset").exit_code == 2  # without a terminal and without --yes
    assert "production refuses" in refusal(at("db", "reset", "--yes", **production), 1)
    assert at("db", "current").stdout.startswith("elsewhere")
    assert at("db", "reset", "--yes").exit_code == 0
    assert at("db", "check").exit_code == 0
    assert at("users", "list").exit_code == 0
    assert at("db", "reset", "--yes").exit_code == 0
