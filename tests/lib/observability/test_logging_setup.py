"""Levels, loggers and context: what reaches standard output at all. What a line looks like is in test_logging."""

import asyncio
import io
import json
import logging
import re
import sys
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
import structlog
from structlog.contextvars import bind_contextvars, bound_contextvars
from structlog.testing import capture_logs

from app.lib.observability.console import ConsoleLine
from app.lib.observability.logging import LogFormat, configure_logging
from tests.support.people import People

Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    configure_logging("warning", "json")
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Lines:
    """What was written since the last call."""
    return lambda: [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def fail(text: str) -> None:
    raise ValueError(text)


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        ("debug", ["debug", "info", "warning", "error", "critical"]),
        ("info", ["info", "warning", "error", "critical"]),
        ("warning", ["warning", "error", "critical"]),
        ("error", ["error", "critical"]),
    ],
)
def test_the_level_counts_for_everybody_and_can_be_changed(lines: Lines, level: str, expected: list[str]) -> None:
    ours, theirs = structlog.get_logger("app.level"), logging.getLogger("app.level")
    for first in ("error", level):
        configure_logging(first, "json")
        ours.info("warming up")
    lines()

    for logger in (ours, theirs):
        for name in ("debug", "info", "warning", "error", "critical"):
            getattr(logger, name)("said")

    assert [event["level"] for event in lines()] == expected * 2


def test_the_names_of_other_methods_are_levels_too(lines: Lines) -> None:
    configure_logging("info", "json")
    logger = structlog.get_logger("app")
    logger.warning("a")
    logger.fatal("b")

    assert [event["level"] for event in lines()] == ["warning", "critical"]


@pytest.mark.parametrize("name", ["httpx", "httpcore", "aiosqlite", "asyncio"])
def test_talkative_libraries_are_quiet(lines: Lines, name: str) -> None:
    configure_logging("debug", "json")
    logging.getLogger(name).info("details")
    logging.getLogger(name).warning("trouble")

    assert [event["event"] for event in lines()] == ["trouble"]


async def test_context_is_in_every_line_of_its_task_and_in_no_other(lines: Lines) -> None:
    configure_logging("info", "json")

    async def request(name: str) -> None:
        bind_contextvars(request_id=name)
        await asyncio.sleep(0)
        structlog.get_logger("ours").info(name)
        logging.getLogger("theirs").info(name)

    await asyncio.gather(*(asyncio.create_task(request(f"r{i}")) for i in range(5)))
    structlog.get_logger("ours").info("outside")

    events = lines()
    assert "request_id" not in events.pop()
    assert [(e["request_id"], e["event"]) for e in events] == [(f"r{i}", f"r{i}") for i in range(5) for _ in range(2)]


def test_a_line_keeps_its_own_value_over_that_of_the_context(lines: Lines) -> None:
    configure_logging("info", "json")
    with bound_contextvars(request_id="context"):
        structlog.get_logger("app").info("x", request_id="own")

    assert lines()[0]["request_id"] == "own"


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_a_traceback_shows_no_local_variables(capsys: pytest.CaptureFixture[str], log_format: LogFormat) -> None:
    configure_logging("info", log_format)

    def sign_in() -> None:
        hidden = "hun" + "ter2"
        fail(f"not {len(hidden)}")

    try:
        sign_in()
    except ValueError:
        structlog.get_logger("app").exception("failed")

    written = capsys.readouterr().out
    assert "sign_in" in written
    assert "hunter2" not in written


@pytest.mark.parametrize(
    "text",
    [
        "DETAIL:  Failing row contains (1, ada@example.com, hash).",
        "DETAIL:  Key (email_key)=(ada@example.com) already exists.",
        "invalid input for query argument $1: 'ada@example.com' (expected int, got str)",
    ],
)
def test_what_the_database_quotes_of_a_row_is_masked(capsys: pytest.CaptureFixture[str], text: str) -> None:
    configure_logging("info", "json")
    try:
        fail(f"before\n{text}\nafter")
    except ValueError:
        structlog.get_logger("app").exception("failed")
    logging.getLogger("driver").warning("said %s", text)

    written = capsys.readouterr().out
    assert "ada@example.com" not in written
    assert written.count("********") == 2
    assert json.loads(written.splitlines()[0])["exception"].endswith("\nafter")


class FullDisk(io.RawIOBase):
    def writable(self) -> bool:
        return True

    def write(self, _data: Any, /) -> int:
        raise OSError(28, "No space left on device")


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_a_full_disk_raises_nothing(monkeypatch: pytest.MonkeyPatch, log_format: LogFormat) -> None:
    configure_logging("info", log_format)
    raw: Any = FullDisk()
    with pytest.raises(OSError, match="No space"):
        raw.write(b"")

    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, write_through=True))
    structlog.get_logger("app").info("lost")
    logging.getLogger("app").info("lost")


def test_a_terminal_gets_colours_and_a_file_none() -> None:
    event = {"timestamp": "now", "level": "info", "logger": "app", "event": "x", "a": "b"}

    assert b"\x1b[" in ConsoleLine(colors=True)(dict(event))
    assert b"\x1b[" not in ConsoleLine(colors=False)(dict(event))


def test_hostile_text_inside_other_values_stays_visible_on_the_console(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("info", "console")
    structlog.get_logger("app").info("x", values=["\x1b[31m\n"], more={"\u202e": "\x9b"}, surrogate="\udc80")

    written = capsys.readouterr().out
    assert written.count("\n") == 1
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\udc80]", written)


def test_the_testing_tools_of_structlog_work_on_loggers_that_were_used_before() -> None:
    configure_logging("info", "json")
    logger = structlog.get_logger("app.captured")
    logger.info("before")
    configure_logging("info", "json")

    with capture_logs() as captured:
        logger.info("inside", a=1)

    assert captured == [{"event": "inside", "a": 1, "log_level": "info"}]


async def test_a_bug_is_logged_with_the_request_id_and_without_values(
    client: httpx.AsyncClient, people: People, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = await people.create()
    configure_logging("debug", "json")
    monkeypatch.setattr(people.core.database.reader, "fetch", None)  # a bug, if there ever was one

    response = await client.get("/api/v1/users/me", headers={**person.headers, "X-Request-ID": "req-0002"})

    assert response.status_code == 500
    events = lines()
    assert {event["request_id"] for event in events} == {"req-0002"}
    (bug,) = [event for event in events if event["event"] == "request.failed"]
    assert "TypeError" in bug["exception"]
    assert person.access_token not in json.dumps(events)
