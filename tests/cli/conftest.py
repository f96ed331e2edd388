import asyncio
import logging
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import patch

import pytest
import structlog
from click.testing import CliRunner, Result
from msgspec import Struct
from sqlalchemy import text

from app.asgi import DOMAINS
from app.cli import main
from app.config import Settings
from app.lib.db.engine import Database, DatabaseOptions
from app.lib.db.url import DatabaseURL
from app.lib.settings import described_fields, variable_name

Cli = Callable[..., Result]


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No `.env` is found, no setting of the shell counts, and what a command makes is not in the source tree."""
    monkeypatch.chdir(tmp_path)
    kinds: list[type[Struct]] = [Settings, *(domain.settings for domain in DOMAINS if domain.settings)]
    for kind in kinds:
        for field in described_fields(kind):
            monkeypatch.delenv(variable_name(field.name), raising=False)


@pytest.fixture(autouse=True)
def logs_as_before() -> Iterator[None]:
    """An app that a command makes sends the logs to the command's output, which ends with the command. What apps of
    other tests have set must not count either: the shell starts a process in which nothing is configured.
    """
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    root.setLevel(logging.WARNING)
    structlog.reset_defaults()
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture(autouse=True)
def signals_as_before() -> Iterator[None]:
    """`app serve` takes them, until it ends."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    handlers = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, handlers, strict=True):
        signal.signal(number, handler)


@pytest.fixture
def cli() -> Cli:
    """Runs a command as the shell would, without a process: ``cli("db", "check", DATABASE_URL=…)``."""

    def run(*arguments: str, stdin: str | bytes | None = None, **environ: str) -> Result:
        with patch.dict(os.environ):  # what a command sets for its process is gone with it
            result = CliRunner().invoke(main, arguments, input=stdin, env=environ, prog_name="app")
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert "Traceback" not in result.stderr or "<shell>" in result.stderr
        return result

    return run


@pytest.fixture
def at(own_url: DatabaseURL, cli: Cli) -> Cli:
    """Like ``cli``, on a migrated database of the test's own."""

    def run(*arguments: str, stdin: str | bytes | None = None, **environ: str) -> Result:
        return cli(*arguments, stdin=stdin, **{"DATABASE_URL": text_of(own_url), **environ})

    return run


def execute(url: DatabaseURL, statement: str) -> None:
    async def work() -> None:
        opened = Database(DatabaseOptions(url=url))
        try:
            async with opened.engine.begin() as connection:
                await connection.execute(text(statement))
        finally:
            await opened.close()

    asyncio.run(work())


def text_of(url: DatabaseURL) -> str:
    """As it would be set in the environment."""
    return url.url.render_as_string(hide_password=False)


def refusal(result: Result, code: int) -> str:
    """The one line that a failed command says."""
    assert result.exit_code == code, result.output
    lines = result.stderr.splitlines()
    assert len(lines) == 1, result.stderr
    return lines[0]
