"""What is written to standard output: whole lines, with the request's id, and never a secret."""

import asyncio
import io
import json
import logging
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import structlog
from litestar import Litestar
from litestar.types import Receive, Scope, Send

from app.lib.db.url import DatabaseURL
from app.lib.http.cors import CORS
from app.lib.http.shell import Shell
from app.lib.observability.logging import _Line, configure_logging, write_event
from tests.support.apps import ADDRESS, BASE_URL, client_of, core_of, running_app
from tests.support.databases import empty

Output = pytest.CaptureFixture[bytes]

HOSTILE = 'a"b\\\n{"event":"forged"}\r\x1b[31mred\x00\x7f\x9b2J\u2028\u202eevil\u2066'
UNSAFE = set(map(chr, [*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029, 0x202E, 0x2066])) - {"\n"}
SOME_HASH = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$aGFzaGhhc2hoYXNo"
SOME_TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Puts back what is configured for the whole process."""
    root, render = logging.getLogger(), _Line.render
    handlers, level = root.handlers[:], root.level
    structlog.contextvars.clear_contextvars()
    yield
    structlog.contextvars.clear_contextvars()
    root.handlers[:] = handlers
    root.setLevel(level)
    _Line.render = render


def lines_of(output: Output) -> list[dict[str, Any]]:
    """All that was written; every line of it has to be JSON."""
    written = output.readouterr().out.decode()
    assert not UNSAFE & set(written), written
    assert written == "" or written.endswith("\n")
    return [json.loads(line) for line in written.split("\n")[:-1]]


def test_an_event_is_one_line_of_json(capsysbinary: Output) -> None:
    configure_logging("info", "json")

    structlog.get_logger("app.boats").warning("boat.sank", boat="Vasa", minutes=20, crew=None)

    (line,) = lines_of(capsysbinary)
    assert list(line)[:4] == ["timestamp", "level", "logger", "event"]
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "level": "warning",
        "logger": "app.boats",
        "event": "boat.sank",
        "boat": "Vasa",
        "minutes": 20,
        "crew": None,
    }


def test_records_of_other_libraries_have_the_same_form(capsysbinary: Output) -> None:
    configure_logging("info", "json")

    logging.getLogger("some.library").error("%s happened", HOSTILE)

    (line,) = lines_of(capsysbinary)
    assert list(line) == ["timestamp", "level", "logger", "event"]
    assert (line["level"], line["logger"], line["event"]) == ("error", "some.library", f"{HOSTILE} happened")


def test_what_is_below_the_level_is_not_written(capsysbinary: Output) -> None:
    configure_logging("warning", "json")

    for log in (structlog.get_logger("app.quiet"), logging.getLogger("app.quiet")):
        log.info("not this")
        log.warning("this")

    assert [line["event"] for line in lines_of(capsysbinary)] == ["this", "this"]


def test_hostile_text_cannot_forge_a_line(capsysbinary: Output) -> None:
    configure_logging("info", "json")

    structlog.get_logger("app").info(HOSTILE, name=HOSTILE, names=[HOSTILE])

    (line,) = lines_of(capsysbinary)
    assert (line["event"], line["name"], line["names"]) == (HOSTILE, HOSTILE, [HOSTILE])


class Shy:
    def __repr__(self) -> str:
        raise RuntimeError("no")


@pytest.mark.parametrize("value", ["\ud800", 2**70, float("nan"), {1: "a", (2,): "b"}, {3}, b"\xff", Shy(), object()])
def test_any_event_makes_a_line(capsysbinary: Output, value: object) -> None:
    configure_logging("info", "json")

    structlog.get_logger("app").info("odd", value=value)

    (line,) = lines_of(capsysbinary)
    assert line["event"] == "odd"
    assert "value" in line


@pytest.mark.parametrize("make", [structlog.get_logger, logging.getLogger])
def test_an_exception_stays_within_its_line(capsysbinary: Output, make: Any) -> None:
    configure_logging("info", "json")

    try:
        raise ValueError(f"{HOSTILE} {SOME_HASH} {SOME_TOKEN}")
    except ValueError:
        make("app").exception("it.failed")

    (line,) = lines_of(capsysbinary)
    assert (line["level"], line["event"]) == ("error", "it.failed")
    assert line["exception"].startswith("Traceback (most recent call last):")
    assert "ValueError: a" in line["exception"]
    assert SOME_HASH not in line["exception"]
    assert SOME_TOKEN not in line["exception"]


@pytest.mark.asvs("16.4.1")
def test_the_console_shows_control_characters_instead_of_obeying_them(capsysbinary: Output) -> None:
    configure_logging("info", "console")

    structlog.get_logger("app").info(HOSTILE, name=HOSTILE)
    logging.getLogger("library").info("%s", HOSTILE)

    written = capsysbinary.readouterr().out.decode()
    assert not UNSAFE & set(written)
    assert written.count("\n") == 2
    assert "\\x1b[31mred" in written
    assert "\\u202eevil" in written


def test_the_console_begins_with_what_happened_in_columns_of_100_characters(capsysbinary: Output) -> None:
    configure_logging("info", "console")
    ids = {
        "request_id": "0193a3c4-0000-7000-8000-0000abcd0001",
        "own_request_id": "0193a3c4-0000-7000-8000-0000abcd0002",
    }
    base = {"event": "request", "path": "/api/v1/users/me", "route": "/api/v1/users/me", "client": "127.0.0.1", **ids}
    for status, ms in ((200, 3.21), (404, 12.0), (500, 1234.5)):
        write_event("app.access", "info", {**base, "status": status, "method": "DELETE", "ms": ms})
    write_event(
        "app.access", "info", {**base, "event": "socket", "status": 101, "seconds": 61.5, "client": "192.0.2.1"}
    )
    job = {
        "event": "job.succeeded",
        "attempt": 1,
        "seconds": 0.0123456,
        "job": "mail.send",
        "job_id": ids["request_id"],
    }
    write_event("app.jobs", "info", job | {"request_id": ids["request_id"], "mail_id": ids["own_request_id"]})
    logging.getLogger("library").warning("it's odd")

    lines = capsysbinary.readouterr().out.decode().splitlines()
    shown = [line[13:] for line in lines]
    column = "/api/v1/users/me".ljust(47)
    assert shown == [
        f"  200 DELETE  {column}     3.2 ms  abcd0001",
        f"! 404 DELETE  {column}    12.0 ms  abcd0001",
        f"X 500 DELETE  {column}  1234.5 ms  abcd0001",
        f"  101 SOCKET  {column}    61.5 s   client=192.0.2.1 abcd0001",
        "  job.succeeded        job=mail.send seconds=0.012 mail_id=abcd0002 abcd0001",
        "! it's odd             logger=library",
    ]
    assert max(map(len, lines[:3])) <= 100


def test_on_the_console_a_traceback_is_indented(capsysbinary: Output) -> None:
    configure_logging("info", "console")

    try:
        raise ValueError(f"first\n2026-01-01 [info] forged {HOSTILE} {SOME_HASH}")
    except ValueError:
        structlog.get_logger("app").exception("it.failed")

    written = capsysbinary.readouterr().out.decode()
    first, *rest = written.rstrip("\n").split("\n")
    assert "it.failed" in first
    assert any("ValueError: first" in line for line in rest)
    assert all(line.startswith("    ") for line in rest)
    assert not UNSAFE & set(written)
    assert SOME_HASH not in written


def test_without_a_terminal_auto_is_json(capsysbinary: Output) -> None:
    configure_logging("info", "auto")

    structlog.get_logger("app").info("hello")

    assert lines_of(capsysbinary)[0]["event"] == "hello"


def test_a_log_that_cannot_be_written_raises_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    configure_logging("info", "json")
    closed = io.TextIOWrapper(io.BytesIO())
    closed.close()

    for stream in (closed, None, io.StringIO()):
        monkeypatch.setattr(sys, "stdout", stream)
        structlog.get_logger("app").info("lost")
        logging.getLogger("library").info("lost, too")


def test_a_record_whose_arguments_do_not_fit_raises_nothing(capsysbinary: Output) -> None:
    configure_logging("info", "json")

    logging.getLogger("library").info("%d", "not a number")
    logging.getLogger("library").info("the next")

    out, err = capsysbinary.readouterr()
    assert [json.loads(line)["event"] for line in out.splitlines()] == ["the next"]
    assert b"not a number" in err


async def chatty(scope: Scope, _receive: Receive, _send: Send) -> None:
    """An application that logs in every way, lets others go first, and fails."""
    structlog.get_logger("app.chatty").info("said", path=scope["path"])
    await asyncio.sleep(0)
    logging.getLogger("some.library").warning("heard")
    raise RuntimeError("broken")


async def test_every_line_of_a_request_has_its_id(capsysbinary: Output) -> None:
    configure_logging("info", "json")
    shell = Shell(chatty, CORS(()))

    async def served(scope: Any, receive: Any, send: Any) -> None:
        scope["state"] = {}  # as servers make it
        await shell(scope, receive, send)

    transport = httpx.ASGITransport(app=served)
    ids = [f"request-{number:03}" for number in range(5)]

    async with httpx.AsyncClient(transport=transport, base_url=BASE_URL) as client:
        await asyncio.gather(*(client.get(f"/{number}", headers={"X-Request-Id": number}) for number in ids))

    lines = lines_of(capsysbinary)
    for number in ids:
        own = [line for line in lines if line["request_id"] == number]
        assert [line["event"] for line in own] == ["said", "heard", "request.failed", "request"]
        assert {line["path"] for line in own if "path" in line} == {f"/{number}"}
        assert "RuntimeError: broken" in own[2]["exception"]
        assert own[3]["status"] == 500
    assert len(lines) == 4 * len(ids)


@pytest.mark.asvs("16.2.5")
async def test_a_whole_visit_leaves_access_lines_and_no_secret(
    shared_app: Litestar, database_url: DatabaseURL, capsysbinary: Output
) -> None:
    """Real standard output: the access log does not go through the standard library."""
    await empty(core_of(shared_app).database)
    password = "Nz7-quiet-harbour-lights"
    async with running_app(database_url, LOG_LEVEL="debug") as loud, client_of(loud) as client:
        account = {"email": "grace@example.com", "password": password}
        await client.post("/api/v1/auth/register", json=account)
        form = {"username": account["email"], "password": password}
        first = (await client.post("/api/v1/auth/login", data=form)).json()
        await client.post("/api/v1/auth/login", data=form | {"password": f"{password}!"})
        second = (await client.post("/api/v1/auth/refresh", json={"refresh_token": first["refresh_token"]})).json()
        bearer = {"Authorization": f"Bearer {second['access_token']}"}
        await client.get("/api/v1/users/me", headers=bearer)
        await client.get("/api/v1/users/me?secret=in-the-query", headers=bearer)
        await client.post("/api/v1/auth/logout", headers=bearer)
        await client.get("/no/such%0aplace")

    written = capsysbinary.readouterr().out.decode()
    lines = [json.loads(line) for line in written.splitlines()]
    access = [line for line in lines if line["logger"] == "app.access"]
    assert [(line["method"], line["route"], line["status"]) for line in access] == [
        ("POST", "/api/v1/auth/register", 201),
        ("POST", "/api/v1/auth/login", 200),
        ("POST", "/api/v1/auth/login", 401),
        ("POST", "/api/v1/auth/refresh", 200),
        ("GET", "/api/v1/users/me", 200),
        ("GET", "/api/v1/users/me", 400),
        ("POST", "/api/v1/auth/logout", 204),
        ("GET", "unmatched", 404),
    ]
    for line in access:
        assert {"timestamp", "level", "event", "request_id", "method", "path", "ms", "client"} <= set(line)
        assert line["client"] == ADDRESS
        assert line["ms"] >= 0
    tokens = [pair[name] for pair in (first, second) for name in ("access_token", "refresh_token")]
    for secret in (password, "argon2", "in-the-query", *tokens, *(token.split(".")[1] for token in tokens)):
        assert secret not in written
