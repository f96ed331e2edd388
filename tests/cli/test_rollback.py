"""The release before finds the database that a newer one has migrated."""

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from app.core import MIGRATIONS
from app.lib.db.migrations import Migrations
from app.lib.db.url import DatabaseURL
from tests.cli.conftest import Cli, refusal
from tests.support.apps import client_of, running_app
from tests.support.people import PASSWORD
from tests.support.processes import free_port

READS = [
    ["users", "list"],
    ["jobs", "list"],
    ["events", "list"],
    ["mail", "list"],
    ["audit", "list"],
    ["audit", "verify"],
    ["check"],
]
TOO_NEW = "of a newer release, and this one does not work with it"

Newer = Callable[..., Migrations]


@pytest.fixture
def newer(tmp_path: Path, own_url: DatabaseURL) -> Newer:
    """The history of the next release, and a database that it has migrated."""

    def migrate(*, breaks_older_code: bool = False) -> Migrations:
        folder = tmp_path / "next"
        shutil.copytree(MIGRATIONS, folder, ignore=shutil.ignore_patterns("__pycache__"))
        head = Migrations(own_url, MIGRATIONS).head
        (folder / "versions" / "next.py").write_text(
            "import sqlalchemy as sa\nfrom alembic import op\n"
            f"revision = 'next'\ndown_revision = {head!r}\nbranch_labels = depends_on = None\n"
            f"breaks_older_code = {breaks_older_code}\n"
            "def upgrade() -> None:\n    op.add_column('users', sa.Column('shoe_size', sa.Integer()))\n"
            "def downgrade() -> None:\n    op.drop_column('users', 'shoe_size')\n"
        )
        migrations = Migrations(own_url, folder)
        asyncio.run(migrations.upgrade())
        return migrations

    return migrate


def answers(url: DatabaseURL) -> tuple[httpx.Response, httpx.Response]:
    """Of readiness, and of a registration."""

    async def ask() -> tuple[httpx.Response, httpx.Response]:
        async with running_app(url) as app, client_of(app) as client:
            ready = await client.get("/health/ready")
            body = {"email": "ada@example.com", "password": PASSWORD}
            return ready, await client.post("/api/v1/auth/register", json=body)

    return asyncio.run(ask())


def test_the_release_before_serves_a_newer_schema_and_says_so(at: Cli, own_url: DatabaseURL, newer: Newer) -> None:
    newer()

    upgraded = at("db", "upgrade")
    assert upgraded.exit_code == 0
    assert "newer than this release, which works with it. Nothing was migrated." in upgraded.stderr
    assert [arguments for arguments in READS if at(*arguments).exit_code != 0] == []
    assert "newer" in at("check").stdout
    assert "newer than this release" in refusal(at("db", "check"), 1)
    ready, registered = answers(own_url)
    assert (ready.status_code, registered.status_code) == (200, 201)


def test_it_refuses_one_that_breaks_it_until_that_is_undone(at: Cli, own_url: DatabaseURL, newer: Newer) -> None:
    migrations = newer(breaks_older_code=True)

    commands = [["db", "upgrade"], ["users", "list"], ["serve", "--port", str(free_port())], ["worker"]]
    for arguments in commands:
        assert TOO_NEW in at(*arguments).stderr.splitlines()[-1], arguments
    assert [at(*arguments).exit_code for arguments in commands] == [1] * len(commands)
    ready, _ = answers(own_url)
    assert ready.status_code == 503
    assert TOO_NEW in ready.json()["checks"][0]["hint"]

    asyncio.run(migrations.downgrade("-1"))
    assert at("users", "list").exit_code == 0
    assert answers(own_url)[0].status_code == 200
