from pathlib import Path

import pytest

from app.lib.db.engine import Database, DatabaseOptions
from app.lib.db.url import DatabaseURL


@pytest.mark.parametrize(
    ("text", "path", "directory"),
    [
        ("sqlite:///data/x.db", "data/x.db", "data"),
        ("sqlite+aiosqlite:///data/x.db", "data/x.db", "data"),
        ("sqlite:////srv/x.db", "/srv/x.db", "/srv"),
        ("sqlite:///x.db", "x.db", "."),
    ],
)
def test_spellings_of_sqlite(text: str, path: str, directory: str) -> None:
    url = DatabaseURL.parse(text)

    assert url.is_sqlite
    assert url.url.drivername == "sqlite+aiosqlite"
    assert (url.path, url.directory) == (Path(path), Path(directory))


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+asyncpg"])
def test_spellings_of_postgresql(scheme: str) -> None:
    url = DatabaseURL.parse(f"{scheme}://ann:p%40ss@db.example.com:6432/shop")

    assert not url.is_sqlite
    assert url.directory == Path("data")
    assert url.connect_arguments == {
        "host": "db.example.com",
        "port": 6432,
        "user": "ann",
        "password": "p@ss",
        "database": "shop",
    }


@pytest.mark.parametrize("word", ["sslmode", "ssl"])
@pytest.mark.parametrize("mode", ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"])
def test_the_word_of_libpq_for_encryption(word: str, mode: str) -> None:
    assert DatabaseURL.parse(f"postgresql://h/d?{word}={mode}").connect_arguments["ssl"] == mode


def test_options_of_other_programs_that_change_nothing_are_taken() -> None:
    url = "postgresql://ann@h/d?sslmode=require&channel_binding=prefer&pgbouncer=false"

    assert DatabaseURL.parse(url) == DatabaseURL.parse("postgresql://ann@h/d?ssl=require")


def test_sockets_and_several_hosts() -> None:
    assert DatabaseURL.parse("postgresql://ann@/d?host=/run/pg").connect_arguments["host"] == "/run/pg"
    several = DatabaseURL.parse("postgresql://ann@/d?host=a:5432&host=b:5433&target_session_attrs=read-write")
    assert several.connect_arguments["host"] == ["a", "b"]
    assert several.connect_arguments["port"] == [5432, 5433]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "expected a URL"),
        ("lodestar.db", "expected a URL"),
        ("mysql://h/d", "expected sqlite or postgresql"),
        ("postgresql+psycopg://h/d", "expected sqlite or postgresql"),
        ("sqlite://", "in-memory"),
        ("sqlite:///:memory:", "in-memory"),
        ("sqlite+aiosqlite:///:memory:", "in-memory"),
        ("sqlite:///file::memory:?cache=shared&uri=true", "in-memory"),
        ("sqlite:///file:x?mode=memory&uri=true", "in-memory"),
        ("sqlite://data/x.db", "three slashes"),
        ("sqlite:///x.db?timeout=1", "no options"),
        ("postgresql://h/d?sslmode=yes", "sslmode is one of"),
        ("postgresql://h/d?sslrootcert=/ca.pem", "PGSSLROOTCERT"),
        ("postgresql://h/d?channel_binding=require", "leave out the option channel_binding, which"),
        ("postgresql://h/d?pgbouncer=true", "leave out the option pgbouncer and set DATABASE_POOLER=true"),
        ("postgresql://h/d?options=endpoint%3Dx", "leave out the option options;"),
        ("postgresql://h/d?statement_cache_size=1", "leave out the option statement_cache_size;"),
        ("postgresql://h/d?host=a,b&port=1,2,3", "do not fit together"),
    ],
)
def test_what_cannot_work_is_refused_at_once(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        DatabaseURL.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://ann:hunter2@h:hunter2/d",
        "postgresql://ann:x@hunter2:hunter2@h/d",
        "postgresql://ann:hunter2@h/d?x=hunter2",
        "mysql://ann:hunter2@h/d",
        "postgresql://ann:x@hunter2!y@h/d",
        "postgresql://ann:hunter2/x@h/d",
        "postgresql://ann:x?hunter2=1&y#@h/d",
        "postgresql://ann:hunter2%zz@h/d",
        "postgresql://h/d?passfile=x@hunter2",
        "//ann:hunter2@h",
    ],
)
def test_no_refusal_repeats_a_password(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected|leave out|fit|percent-encoded") as caught:
        DatabaseURL.parse(text)

    assert "hunter2" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize("text", ["postgresql://ann:hunter2@h/d", "postgresql://ann@h/d?password=hunter2"])
def test_passwords_are_masked(text: str) -> None:
    url = DatabaseURL.parse(text)

    assert "hunter2" not in url.masked
    assert "hunter2" not in repr(url)
    assert "hunter2" not in repr(DatabaseOptions(url=url))
    assert "hunter2" not in repr(Database(DatabaseOptions(url=url)).engine.url)
    assert "ann" in url.masked
    assert url.connect_arguments["password"] == "hunter2"


@pytest.mark.parametrize(
    "text",
    [
        "sqlite:///data/x.db",
        "sqlite:////home/a@b/x.db",
        "postgresql://a n:p+%20!@h/d",
        "postgresql://ann:p%40%2Fss@h:5432/d?sslmode=require",
    ],
)
def test_a_url_survives_being_written_down(text: str) -> None:
    url = DatabaseURL.parse(text)

    assert DatabaseURL.parse(url.url.render_as_string(hide_password=False)) == url
