"""The migration history on both databases, and the runner on histories made for the purpose."""

import asyncio
import re
import stat
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
from advanced_alchemy.types import DateTimeUTC
from alembic.script import ScriptDirectory
from sqlalchemy import (
    DateTime,
    Engine,
    PrimaryKeyConstraint,
    String,
    Table,
    TypeDecorator,
    UniqueConstraint,
    event,
    inspect,
    text,
)
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from app.core import MIGRATIONS
from app.lib.db.base import Base, metadata
from app.lib.db.engine import Database, DatabaseOptions
from app.lib.db.migrations import MigrationFailed, Migrations, SchemaState, schema_state
from app.lib.db.url import DatabaseURL
from tests.support.each import each

ROOT = Path(__file__).parent.parent

WriteHistory = Callable[..., Migrations]


@asynccontextmanager
async def connected(url: DatabaseURL) -> AsyncIterator[AsyncConnection]:
    engine = create_async_engine(url.url)
    async with engine.connect() as connection:
        yield connection
    await engine.dispose()


async def tables_of(url: DatabaseURL) -> set[str]:
    async with connected(url) as connection:
        return set(await connection.run_sync(lambda c: inspect(c).get_table_names()))


async def rows_of(url: DatabaseURL, table: str) -> int:
    async with connected(url) as connection:
        found: int = (await connection.execute(text(f"SELECT count(*) FROM {table}"))).scalar_one()  # noqa: S608 - ours
        return found


async def test_up_down_and_up_again(empty_url: DatabaseURL) -> None:
    migrations = Migrations(empty_url, MIGRATIONS)
    assert await migrations.current() is None

    await migrations.upgrade()
    assert await migrations.current() == migrations.head
    assert set(metadata.tables) <= await tables_of(empty_url)
    assert await migrations.differences() == []

    await migrations.downgrade("base")
    assert await migrations.current() is None
    assert await tables_of(empty_url) <= {"alembic_version"}

    await migrations.upgrade()
    assert await migrations.differences() == []


async def test_the_reader_knows_the_revision(empty_url: DatabaseURL) -> None:
    migrations = Migrations(empty_url, MIGRATIONS)
    await migrations.upgrade()
    database = Database(DatabaseOptions(url=empty_url))
    await database.start()

    assert await schema_state(database.reader, migrations.history) is SchemaState.CURRENT
    await database.close()


async def test_a_difference_is_found(empty_url: DatabaseURL) -> None:
    migrations = Migrations(empty_url, MIGRATIONS)
    await migrations.upgrade()
    async with connected(empty_url) as connection:
        await connection.execute(text("DROP INDEX ix_users_name_key_id"))
        await connection.execute(text("ALTER TABLE users ADD COLUMN shoe_size integer"))
        await connection.execute(text("DROP TABLE rate_limits"))
        await connection.execute(text("CREATE TABLE hats (id integer, UNIQUE (id))"))
        await connection.execute(text("CREATE INDEX ix_hats_id ON hats (id)"))
        if not empty_url.is_sqlite:  # which cannot change a column
            await connection.execute(text("ALTER TABLE roles ALTER name DROP NOT NULL, ALTER name TYPE varchar(7)"))
            await connection.execute(text("ALTER TABLE posts DROP CONSTRAINT fk_posts_author_id"))
        await connection.commit()

    found = await migrations.differences()

    on_postgresql = [
        "posts: the models have a foreign key (author_id) to users.id, the database has no such foreign key",
        "roles.name: the models have NOT NULL, the database has NULL",
        'roles.name: the models have VARCHAR(50) COLLATE "C", the database has VARCHAR(7)',
    ]
    assert [each for each in found if each not in on_postgresql] == [
        "hats: the models have no such table, the database has this table",
        "rate_limits: the models have this table, the database has no such table",
        "users.shoe_size: the models have no such column, the database has INTEGER",
        "users: the models have the index ix_users_name_key_id (name_key, id), the database has no such index",
    ]
    assert empty_url.is_sqlite or set(on_postgresql) <= set(found)


UPGRADE = """
import asyncio, os, sys
from pathlib import Path
import app.asgi
from app.lib.db.migrations import Migrations
from app.lib.db.url import DatabaseURL

migrations = Migrations(DatabaseURL.parse(sys.argv[1]), Path(sys.argv[2]))
children = []
for _ in range(3):
    child = os.fork()
    if not child:
        asyncio.run(migrations.upgrade())
        os._exit(0)
    children.append(child)
sys.exit(max(os.waitpid(child, 0)[1] for child in children))
"""


async def test_three_servers_that_start_together_migrate_once(empty_url: DatabaseURL) -> None:
    url = empty_url.url.render_as_string(hide_password=False)

    process = await asyncio.create_subprocess_exec(sys.executable, "-c", UPGRADE, url, str(MIGRATIONS), cwd=ROOT)

    assert await process.wait() == 0
    assert await Migrations(empty_url, MIGRATIONS).differences() == []


def test_an_sqlite_file_belongs_to_its_owner(tmp_path: Path) -> None:
    url = DatabaseURL.parse(f"sqlite:///{tmp_path}/new/deep/x.db")

    asyncio.run(Migrations(url, MIGRATIONS).upgrade())

    assert stat.S_IMODE(url.path.stat().st_mode) == 0o600


@pytest.fixture
def write_history(tmp_path: Path, empty_url: DatabaseURL) -> WriteHistory:
    """Writes a history of revisions, each of them some lines of Python, and returns its runner."""

    def write(*upgrades: str) -> Migrations:
        folder = tmp_path / "history"
        (folder / "versions").mkdir(parents=True, exist_ok=True)
        env = re.sub(r"^import app\.asgi.*$", "", (MIGRATIONS / "env.py").read_text(), flags=re.MULTILINE)
        (folder / "env.py").write_text(env)
        for number, body in enumerate(upgrades, start=1):
            before = f"{number - 1:04}" if number > 1 else None
            lines = "\n".join(f"    {line}" for line in body.strip().splitlines())
            (folder / "versions" / f"{number:04}.py").write_text(
                "import sqlalchemy as sa\nfrom alembic import op\n"
                f"revision = '{number:04}'\ndown_revision = {before!r}\nbranch_labels = depends_on = None\n"
                f"def upgrade() -> None:\n{lines}\ndef downgrade() -> None:\n    pass\n"
            )
        return Migrations(empty_url, folder)

    return write


PARENTS = """
op.create_table("parents", sa.Column("id", sa.Integer, primary_key=True), sa.Column("name", sa.String(20)))
op.create_table(
    "children",
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("parent_id", sa.Integer, sa.ForeignKey("parents.id", ondelete="CASCADE"), index=True),
)
op.execute("INSERT INTO parents VALUES (1, 'ann')")
op.execute("INSERT INTO children VALUES (1, 1)")
"""


async def test_a_failing_revision_leaves_nothing(write_history: WriteHistory) -> None:
    migrations = write_history(
        PARENTS,
        "op.add_column('parents', sa.Column('age', sa.Integer))\nop.execute('SELECT no_such_function()')",
    )

    with pytest.raises(
        MigrationFailed, match=r"^Migration 0002\.py failed in line 8: .*no_such_function.* Nothing was"
    ):
        await migrations.upgrade()

    assert await tables_of(migrations.url) <= {"alembic_version"}
    assert await migrations.current() is None


async def test_what_was_applied_before_stays(write_history: WriteHistory) -> None:
    await write_history(PARENTS).upgrade()
    failing = write_history(PARENTS, "op.execute('DELETE FROM children')\nop.execute('SELECT no_such_function()')")

    with pytest.raises(MigrationFailed):
        await failing.upgrade()

    assert await failing.current() == "0001"
    assert await rows_of(failing.url, "children") == 1


async def test_changing_a_table_keeps_the_rows_that_refer_to_it(write_history: WriteHistory) -> None:
    """SQLite makes such a table again; with foreign keys on, dropping the old one would delete the children."""
    await write_history(PARENTS).upgrade()
    change = 'with op.batch_alter_table("parents") as batch:\n    batch.alter_column("name", nullable=False)'

    migrations = write_history(PARENTS, change)
    await migrations.upgrade()

    assert await rows_of(migrations.url, "parents") == 1
    assert await rows_of(migrations.url, "children") == 1
    async with connected(migrations.url) as connection:
        (key,) = await connection.run_sync(lambda c: inspect(c).get_foreign_keys("children"))
    assert (key["referred_table"], key["options"]) == ("parents", {"ondelete": "CASCADE"})


async def test_no_migration_leaves_references_to_nothing(write_history: WriteHistory) -> None:
    await write_history(PARENTS).upgrade()
    orphans = write_history(PARENTS, "op.execute('UPDATE children SET parent_id = 7')")

    with pytest.raises(MigrationFailed) as caught:
        await orphans.upgrade()

    assert "children" in str(caught.value)
    assert await orphans.current() == "0001"


async def test_a_new_revision_is_written_from_the_difference(tmp_path: Path, empty_url: DatabaseURL) -> None:
    folder = tmp_path / "migrations"
    (folder / "versions").mkdir(parents=True)
    for name in ("env.py", "script.py.mako"):
        (folder / name).write_bytes((MIGRATIONS / name).read_bytes())
    migrations = Migrations(empty_url, folder)

    path, warnings = await migrations.generate("everything at once")
    written = path.read_text()
    await migrations.upgrade()

    assert re.fullmatch(r"\d{14}_everything_at_once\.py", path.name)
    assert "advanced_alchemy" not in written
    assert "autocommit_block" not in written
    assert not warnings  # new tables have no rows
    assert await migrations.differences() == []


FAMILY = """
op.create_table("a_grandparents", sa.Column("id", sa.Integer, primary_key=True))
for child, parent in (("b_parents", "a_grandparents"), ("c_children", "b_parents"), ("d_children", "a_grandparents")):
    op.create_table(
        child,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("parent_id", sa.Integer, sa.ForeignKey(f"{parent}.id"), index=True),
        sa.Column("own_id", sa.Integer, sa.ForeignKey(f"{child}.id")),
    )
"""


async def test_tables_are_dropped_before_those_that_they_refer_to(write_history: WriteHistory) -> None:
    """PostgreSQL refuses another order; the order that alembic finds them in is another each time."""
    migrations = write_history(FAMILY)
    (migrations.directory / "script.py.mako").write_bytes((MIGRATIONS / "script.py.mako").read_bytes())
    await migrations.upgrade()
    await migrations.generate("no family")

    for _ in range(2):
        await migrations.upgrade()
        assert not {each for each in await tables_of(migrations.url) if each[1] == "_"}
        await migrations.downgrade("0001")
        assert len({each for each in await tables_of(migrations.url) if each[1] == "_"}) == 4


REVISIONS = sorted((MIGRATIONS / "versions").glob("*.py"))


def test_the_history_ends_in_one_revision_and_is_in_the_order_of_its_numbers() -> None:
    """Numbers may be missing: to remove a domain, its file is deleted and one line of the next file changes."""
    script = ScriptDirectory(MIGRATIONS)
    assert len(script.get_heads()) == 1, SchemaState.FORKED.value
    parents = {each.revision: tuple(each._versioned_down_revisions) for each in script.walk_revisions()}
    for path in REVISIONS:
        source = path.read_text()
        number = path.stem.partition("_")[0]
        assert f'\nrevision = "{number}"\n' in source, f"{path.name} begins with another number than its revision"
        assert all(each < number for each in parents[number]), f"{path.name} comes before what it follows"
        is_merge = len(parents[number]) > 1
        assert is_merge or "def downgrade() -> None:\n    pass" not in source, f"{path.name} is not undone"
        assert not {"import app", "from app", "autocommit_block"} & set(source.splitlines())


def test_a_revision_makes_tables_of_one_domain() -> None:
    """So that a domain can be taken away with its migrations."""
    owners = {"rate_limits": "core", "breaking_migrations": "core"}
    for mapper in Base.registry.mappers:
        module = mapper.class_.__module__
        if module.startswith("app."):  # else it is a toy of other tests
            owner = re.match(r"app\.(?:domain\.(\w+)|lib\.(realtime))", module)
            name = (owner[1] or owner[2]) if owner else "core"
            owners |= {table.name: name for table in mapper.tables if isinstance(table, Table)}
    made: set[str] = set()
    for path in REVISIONS:
        tables = set(re.findall(r'create_table\(\s*"(\w+)"', path.read_text()))
        found = {owners[each] for each in tables & owners.keys()}
        assert len(found) < 2, f"{path.name} makes tables of {found}: write a migration for each domain"
        made |= tables

    assert owners.keys() <= made, "run 'app db revision -m <the domain>'"


@each(metadata.sorted_tables)
def test_foreign_keys_are_indexed_and_say_what_deletion_does(table: Table) -> None:
    leading = [tuple(index.columns.keys()) for index in table.indexes]
    unique = (PrimaryKeyConstraint, UniqueConstraint)
    leading += [tuple(item.columns.keys()) for item in table.constraints if isinstance(item, unique)]
    for key in table.foreign_key_constraints:
        assert key.ondelete in {"CASCADE", "RESTRICT", "SET NULL"}, f"{key.name}: say ondelete= in its ForeignKey"
        columns = tuple(key.columns.keys())
        assert any(index[: len(columns)] == columns for index in leading), (
            f"{key.name} has no index: give {key.column_keys} one"
        )


@each(metadata.sorted_tables)
def test_names_follow_the_convention(table: Table) -> None:
    names = [str(item.name) for item in table.constraints] + [str(item.name) for item in table.indexes]
    assert all(re.fullmatch(rf"(pk|uq|fk|ck|ix)_{table.name}(_\w+)?", name) for name in names), names
    assert all(len(name) <= 63 for name in names), names  # PostgreSQL cuts longer ones


@each(metadata.sorted_tables)
def test_strings_have_a_length_and_instants_a_zone(table: Table) -> None:
    for column in table.columns:
        kind = column.type.impl if isinstance(column.type, TypeDecorator) else column.type
        if type(kind) is String:
            assert kind.length, f"{column.table}.{column.name}: String has a length, or is Text"
        if isinstance(kind, DateTime):
            assert isinstance(column.type, DateTimeUTC), column
            assert kind.timezone, column


MATTERS_OF_TASTE = ("prefer-text-field", "prefer-bigint-over-int")


@pytest.mark.parametrize("empty_url", ["postgresql"], indirect=True)
async def test_the_sql_for_postgresql_locks_no_table_for_long(tmp_path: Path, empty_url: DatabaseURL) -> None:
    """Squawk knows which statements rewrite or lock tables that are in use."""
    script = tmp_path / "history.sql"
    with statements_of_all_engines() as statements:
        await Migrations(empty_url, MIGRATIONS).upgrade()
    script.write_text(";\n".join(statements))
    squawk = Path(sys.executable).parent / "squawk"

    process = await asyncio.create_subprocess_exec(
        *(squawk, "--pg-version=15", "--assume-in-transaction", f"--exclude={','.join(MATTERS_OF_TASTE)}", script),
        stdout=asyncio.subprocess.PIPE,
    )
    report = (await process.communicate())[0].decode()

    assert process.returncode == 0, report


@contextmanager
def statements_of_all_engines() -> Iterator[list[str]]:
    seen: list[str] = []

    def on_execute(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        seen.append(statement)

    event.listen(Engine, "before_cursor_execute", on_execute)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", on_execute)
