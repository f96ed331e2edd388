import asyncio
import re
import shutil
import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
import time_machine

from app.lib.clock import utc_now
from app.lib.db import sqlite
from app.lib.db.engine import Database, ServerRow
from app.lib.db.url import DatabaseURL
from tests.cli.conftest import Cli, refusal
from tests.support.mailserver import mail_server
from tests.support.processes import free_port
from tests.support.receivers import receiver


def findings(text: str) -> dict[str, tuple[str, str | None]]:
    return {each["name"]: (each["status"], each["hint"]) for each in msgspec.json.decode(text)}


def test_a_migrated_database_is_good(at: Cli, own_url: DatabaseURL) -> None:
    result = at("check", "--json", PORT=str(free_port()))

    names = {"settings", "secret", "address", "proxies", "disk", "database", "migrations", "clock", "mail"}
    names.add("sqlite" if own_url.is_sqlite else "connections")
    assert findings(result.stdout) == dict.fromkeys(names, ("ok", None))
    assert ("PostgreSQL 1" in result.stdout) is not own_url.is_sqlite
    assert result.exit_code == 0


def test_a_database_behind_the_code_is_not(at: Cli) -> None:
    at("db", "downgrade", "-1")
    result = at("check")

    assert re.search(
        r"^migrations +failed +behind +The database schema is not up to date: run 'app db upgrade'\.$",
        result.stdout,
        re.MULTILINE,
    )
    assert refusal(result, 1) == "Error: The service cannot run: migrations."


def test_a_file_that_is_not_there_is_not_made(cli: Cli, tmp_path: Path) -> None:
    result = cli("check", "--json")

    assert findings(result.stdout)["migrations"] == (
        "failed",
        "The database schema is not up to date: run 'app db upgrade'.",
    )
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


PRODUCTION = {
    "ENVIRONMENT": "production",
    "SECRET_KEY": "9f2Kq0vXz7Lm4Rt8Wb1Yc6Nd3Hs5Jg0Pa2Ue",
    "PUBLIC_URL": "https://lodestar.example",
    "TRUSTED_PROXIES": "127.0.0.1",
    "MAIL_FROM": "noreply@lodestar.example",
    "PORT": str(free_port()),
}


@pytest.mark.asvs("13.4.2")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SECRET_KEY", ""),
        ("SECRET_KEY", "short"),
        ("SECRET_KEY", "change-me-change-me-change-me-change-me"),
        ("SECRET_KEY_FALLBACKS", "short"),
        ("PUBLIC_URL", "http://lodestar.example"),
        ("PUBLIC_APP_URL", "http://app.lodestar.example"),
        ("DEBUG", "true"),
        ("CORS_ORIGINS", "*"),
        ("RATE_LIMIT_ENABLED", "false"),
    ],
)
def test_what_production_refuses_is_a_finding_and_names_the_setting(cli: Cli, name: str, value: str) -> None:
    result = cli("check", "--json", **{**PRODUCTION, name: value})

    found = msgspec.json.decode(result.stdout)
    assert [each["status"] for each in found] == ["failed"]
    assert found[0]["found"] == name
    assert found[0]["hint"]
    assert refusal(result, 3) == "Error: The service cannot run: settings. 'app config example' lists all."


def test_production_as_it_should_be_has_advice_about_mail_alone(at: Cli) -> None:
    found = findings(at("check", "--json", **PRODUCTION).stdout)

    assert [name for name, (status, _) in found.items() if status != "ok"] == ["mail"]
    assert found["mail"] == ("advice", "No mail is sent: set MAIL_BACKEND=smtp.")
    assert at("check", **PRODUCTION).exit_code == 0
    assert refusal(at("check", "--strict", **PRODUCTION), 1) == "Error: The service cannot run: mail."


def test_a_weak_secret_is_advice_where_it_is_not_refused(at: Cli) -> None:
    status, hint = findings(at("check", "--json", SECRET_KEY="change-me").stdout)["secret"]

    assert (status, hint) == ("advice", "Make one by 'app keys generate'.")


def test_a_default_role_that_is_missing_is_named(at: Cli) -> None:
    status, hint = findings(at("check", "--json", DEFAULT_ROLE="member").stdout)["default role"]

    assert status == "advice"
    assert hint == "There is no role member, so who registers gets none: create it, or unset DEFAULT_ROLE."
    refused = at("check", "--json", DEFAULT_ROLE="super-user")
    assert findings(refused.stdout)["settings"][1] == (
        "Expected the name of a role, such as member (set in the environment)."
    )


@pytest.mark.parametrize(
    ("environ", "status"),
    [
        ({"TRUSTED_PROXIES": "0.0.0.0/0"}, "failed"),
        ({"TRUSTED_PROXIES": "10.0.0.0/8,::/0"}, "failed"),
        ({"TRUSTED_PROXIES": "10.0.0.0/8,fd00::/16"}, "ok"),
        ({**PRODUCTION, "TRUSTED_PROXIES": ""}, "advice"),
        ({**PRODUCTION, "TRUSTED_PROXIES": "", "HOST": "192.0.2.1"}, "ok"),
    ],
)
def test_proxies_that_are_everyone_or_no_one_are_named(cli: Cli, environ: dict[str, str], status: str) -> None:
    assert findings(cli("check", "--json", **environ).stdout)["proxies"][0] == status


def test_an_address_that_cannot_be_listened_on_is_named(cli: Cli) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        taken = findings(cli("check", "--json", PORT=f"{port}").stdout)["address"]
    absent = findings(cli("check", "--json", HOST="192.0.2.1", ENVIRONMENT="test").stdout)["address"]

    assert taken == ("advice", f"127.0.0.1:{port} is in use by another process: good if that is the service.")
    assert (absent[0], (absent[1] or "").partition(":")[2].startswith("8000 is not an address")) == ("failed", True)


async def test_services_that_reports_go_to_are_knocked_at(cli: Cli) -> None:
    async with receiver(tls=False) as server:
        url = f"http://key@127.0.0.1:{server.port}"
        environ = {"SENTRY_DSN": f"{url}/1", "OTEL_EXPORTER_OTLP_ENDPOINT": url}
        good = findings((await asyncio.to_thread(cli, "check", "--json", **environ)).stdout)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        environ = {
            "SENTRY_DSN": "https://hunter2@127.0.0.1:1/1",
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}",
        }
        result = await asyncio.to_thread(cli, "check", "--json", **environ)
    refused = await asyncio.to_thread(cli, "check", "--json", OTEL_EXPORTER_OTLP_ENDPOINT="collector:4318")

    assert good["error reports"] == good["traces"] == ("ok", None)
    found = findings(result.stdout)
    reason = "The service runs, and its error reports are lost: check SENTRY_DSN."
    assert found["error reports"] == ("advice", f"It cannot be used: Connection refused. {reason}")
    assert found["traces"][1] is not None
    assert found["traces"][1].startswith("It does not answer within 3 s.")
    assert "hunter2" not in result.output
    assert findings(refused.stdout)["traces"][0] == "advice"


class _Usage(NamedTuple):
    free: int


@pytest.mark.parametrize(("free", "status"), [(50_000_000_000, "ok"), (1_000_000_000, "advice"), (1_000_000, "failed")])
def test_a_disk_that_is_nearly_full_is_named(cli: Cli, monkeypatch: pytest.MonkeyPatch, free: int, status: str) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: _Usage(free))

    assert findings(cli("check", "--json").stdout)["disk"][0] == status


def _server(version: int, late: timedelta) -> Callable[[Any], Any]:
    async def server(_: Database) -> ServerRow:
        return ServerRow(version, utc_now() - late)

    return server


@pytest.mark.parametrize(
    ("version", "late", "name", "status"),
    [
        (140_009, 0, "database", "failed"),
        (150_000, 0, "database", "ok"),
        (160_000, 1, "clock", "ok"),
        (160_000, 10, "clock", "advice"),
        (160_000, -3600, "clock", "failed"),
    ],
)
def test_an_old_database_and_a_clock_that_differs_are_named(
    at: Cli, monkeypatch: pytest.MonkeyPatch, version: int, late: int, name: str, status: str
) -> None:
    monkeypatch.setattr(Database, "server", _server(version, timedelta(seconds=late)))

    assert findings(at("check", "--json").stdout)[name][0] == status


@pytest.mark.parametrize("year", [1980, 2200])
def test_a_year_that_cannot_be_right_is_named(cli: Cli, year: int) -> None:
    with time_machine.travel(datetime(year, 1, 1, tzinfo=UTC), tick=True):
        result = cli("check", "--json")

    assert findings(result.stdout)["clock"][0] == "failed"


def test_more_connections_than_the_server_allows_are_named(at: Cli, own_url: DatabaseURL) -> None:
    found = findings(at("check", "--json", WORKERS="100", DATABASE_POOL_SIZE="100").stdout)

    if not own_url.is_sqlite:
        hint = "Set DATABASE_POOL_SIZE lower, or WORKERS, or the server's max_connections higher."
        assert found["connections"] == ("advice", hint)
        fits = at("check", JOBS_WORKER="external", WORKERS="2", DATABASE_POOL_SIZE="4").stdout
        assert re.search(r"up to 45 of \d+; \d+ more `app worker` of up to 15 fit", fits)


async def test_a_mail_server_is_connected_to_and_signed_in_at(cli: Cli) -> None:
    async with mail_server() as server:
        smtp = server.settings
        good = await asyncio.to_thread(cli, "check", "--json", **smtp)
        refused = await asyncio.to_thread(cli, "check", "--json", **smtp, SMTP_USER="app", SMTP_PASSWORD="hunter2")
    gone = await asyncio.to_thread(cli, "check", "--json", **smtp)

    assert findings(good.stdout)["mail"] == ("ok", None)
    assert server.messages == []
    for result in (refused, gone):
        status, hint = findings(result.stdout)["mail"]
        assert status == "advice"
        assert hint is not None
        assert hint.endswith("mails wait until that works.")
        assert "hunter2" not in result.output
