import json
from pathlib import Path

import pytest
from msgspec import Struct

from app.asgi import DOMAINS, load_settings
from app.cli.configuration import example_file
from app.config import Settings
from app.lib.settings import described_fields, variable_name
from tests.cli.conftest import Cli, refusal

ROOT = Path(__file__).parents[2]

SECRETS = {
    "SECRET_KEY": "no-one-may-ever-see-this-key-0123456789",
    "SECRET_KEY_FALLBACKS": "nor-this-older-one-01234567890123456789,nor-this-one-0123456789012345678901234",
    "SMTP_USER": "lodestar",
    "SMTP_PASSWORD": "hidden-mail-password",
    "REDIS_URL": "redis://:hidden-redis@redis.internal/0",
    "METRICS_TOKEN": "hidden-metrics-token-0123456789-0123456789",
    "DATABASE_URL": "postgresql://lodestar:hidden-database@db.internal/lodestar",
    "DATABASE_DIRECT_URL": "postgresql://owner:hidden-owner@db.internal/lodestar",
}


def shown(cli: Cli, **environ: str) -> dict[str, dict[str, object]]:
    rows = json.loads(cli("config", "show", "--json", **environ).stdout)
    return {row["name"]: row for row in rows}


def all_names() -> list[str]:
    """Of every setting: those of the process, then those of each domain."""
    kinds: list[type[Struct]] = [Settings, *(domain.settings for domain in DOMAINS if domain.settings)]
    return [variable_name(field.name) for kind in kinds for field in described_fields(kind)]


def test_every_setting_is_shown_with_value_origin_and_meaning(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PORT=8080\nWORKERS=3\n")
    (tmp_path / "level").write_text("error\n")

    found = shown(cli, WORKERS="4", LOG_LEVEL_FILE=str(tmp_path / "level"), CORS_ORIGINS="https://a.example")

    assert list(found) == all_names()
    assert all(row["description"] for row in found.values())
    values = {name: (row["value"], row["origin"]) for name, row in found.items()}
    assert values["HOST"] == ("127.0.0.1", "default")
    assert values["PORT"] == (8080, ".env")
    assert values["WORKERS"] == (4, "environment")
    assert values["LOG_LEVEL"] == ("error", f"file {tmp_path / 'level'}")
    assert values["CORS_ORIGINS"] == (["https://a.example"], "environment")
    assert values["REQUEST_MAX_BODY_SIZE"] == (2_000_000, "default")


@pytest.mark.parametrize(
    ("environ", "most"),
    [
        ({"WORKERS": "1"}, 33),
        ({"WORKERS": "4"}, 68),
        ({"WORKERS": "8"}, 72),
        ({"WORKERS": "4", "DATABASE_POOL_SIZE": "10"}, 132),
    ],
)
def test_the_connections_of_all_workers_are_shown_as_a_sum(cli: Cli, environ: dict[str, str], most: int) -> None:
    on_postgresql = cli("config", "show", **environ, DATABASE_URL="postgresql://db.internal/lodestar").stdout

    assert f"{environ['WORKERS']} worker(s) open up to {most} PostgreSQL connections." in on_postgresql
    environ |= {"JOBS_WORKER": "external", "DATABASE_POOL_SIZE": "4"}
    apart = cli("config", "show", **environ, DATABASE_URL="postgresql://db.internal/lodestar").stdout
    said = (
        f"{environ['WORKERS']} worker(s) and an `app worker` open up to {15 * (int(environ['WORKERS']) + 1)} PostgreSQL"
    )
    assert f"{said} connections. Each further `app worker`: 15." in apart
    assert "connections." not in cli("config", "show", **environ).stdout.rpartition("\n\n")[2]


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_no_secret_is_shown(cli: Cli, form: list[str]) -> None:
    result = cli("config", "show", *form, **SECRETS)

    assert result.exit_code == 0
    assert "postgresql+asyncpg://lodestar:***@db.internal/lodestar" in result.stdout
    for secret in ("no-one-may", "nor-this", "hidden-"):
        assert secret not in result.output


@pytest.mark.parametrize("name", ["DATABASE_URL", "DATABASE_DIRECT_URL", "REDIS_URL"])
@pytest.mark.parametrize("command", [["config", "show"], ["config", "show", "--json"], ["db", "upgrade"], ["routes"]])
def test_a_password_that_splits_its_url_is_refused_and_not_shown(cli: Cli, name: str, command: list[str]) -> None:
    scheme = "redis" if name == "REDIS_URL" else "postgresql"
    result = cli(*command, **{"DATABASE_URL": "postgresql://db/x", name: f"{scheme}://app:s3cr@t!pw@db/0"})

    assert result.exit_code == 3
    assert result.output.startswith(f"Error: {name}: special characters in user name and password")
    assert not any(part in result.output for part in ("s3cr", "t!pw"))


def test_the_table_has_a_line_for_each_setting(cli: Cli) -> None:
    lines = cli("config", "show", TRUSTED_PROXIES="10.0.0.1, 10.0.0.2").stdout.splitlines()

    assert lines[0].split() == ["NAME", "VALUE", "ORIGIN"]
    assert [line.split()[0] for line in lines[1:]] == all_names()
    assert any(line.split() == ["TRUSTED_PROXIES", "10.0.0.1,10.0.0.2", "environment"] for line in lines)
    assert any(line.split() == ["DEBUG", "false", "default"] for line in lines)


def test_the_committed_example_is_fresh(cli: Cli) -> None:
    result = cli("config", "example")

    assert result.stdout == example_file()
    assert (ROOT / ".env.example").read_text() == result.stdout, "run: app config example > .env.example"


def test_the_example_uncommented_is_the_defaults(tmp_path: Path) -> None:
    lines = [line.removeprefix("#") for line in example_file().splitlines() if not line.startswith("# ")]
    (tmp_path / ".env").write_text("\n".join(lines))

    settings, origins = load_settings({}, tmp_path / ".env")

    assert settings == load_settings({}, None)[0]
    assert origins["PORT"].endswith(".env")


def test_all_that_is_wrong_is_said_at_once(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("DATABASE_ULR=x\nPOSTGRES_PASSWORD=x\nJOBS_WORKER=maybe\nOTEL_SERVICE_NAME=ours\n")
    (tmp_path / "key").write_text("short")
    environ = {
        "ENVIRONMENT": "production",
        "PORT": "abc",
        "WORKRS": "3",
        "PUBLIC_URL": "http://example.com",
        "SECRET_KEY_FILE": str(tmp_path / "key"),
        "SECRET_KEY_FALLBACKS_FILE": str(tmp_path / "gone"),
        "MAIL_BACKEND": "smtp",
        "MAIL_COLOR": "red",
        "SMTP_CA_FILE": str(tmp_path / "key"),
        "RATE_LIMIT_DEFAULT": "often",
        "RATE_LIMIT_AUTH": "often",
        "PAYMENT_PROVIDER": "test",
        "JWT_PRIVATE_KEY": "nonsense",
        "OIDC_PROVIDERS": "nonsense",
    }
    from_there = " (set in the environment)"
    limit = "'often' is not a rate limit; write it like '600/minute' or '10 per 15 minutes'"
    expected = [
        "DATABASE_ULR: not a setting; DATABASE_URL is one (set in .env)",
        "JOBS_WORKER: expected one of external, inside, off (set in .env)",
        f"JWT_PRIVATE_KEY: a key for tokens must be an Ed25519 key in PEM without a passphrase{from_there}",
        f"MAIL_COLOR: expected a colour such as #2952cc{from_there}",
        f"OIDC_PROVIDERS: expected a JSON list of objects{from_there}",
        f"PAYMENT_PROVIDER: test is refused in production, unless ALLOW_TEST_PAYMENTS is on{from_there}",
        f"PORT: expected a whole number{from_there}",
        "POSTGRES_PASSWORD: not a setting, but in .env",
        f"PUBLIC_URL: required in production, with https{from_there}",
        f"RATE_LIMIT_AUTH: {limit}{from_there}",
        f"RATE_LIMIT_DEFAULT: {limit}{from_there}",
        f"SECRET_KEY: needs at least 32 characters in production (set in file {tmp_path / 'key'})",
        f"SECRET_KEY_FALLBACKS_FILE: expected the path of a readable text file{from_there}",
        f"SMTP_CA_FILE: expected the path of a file with certificates (PEM){from_there}",
        "SMTP_HOST: required with MAIL_BACKEND=smtp",
        f"WORKRS: not a setting; WORKERS is one{from_there}",
    ]

    for command in (["config", "show"], ["serve"], ["worker"], ["db", "upgrade"]):
        result = cli(*command, **environ)
        *lines, last = [line.removeprefix("Error: ") for line in result.stderr.splitlines()]
        assert [*lines, last.removesuffix(". 'app config example' lists all settings.")] == expected
        assert (result.exit_code, result.stdout) == (3, "")
    checked = cli("check", "--json", **environ)
    found = [(each["found"], each["status"]) for each in json.loads(checked.stdout)]
    misspelt = {"DATABASE_ULR", "POSTGRES_PASSWORD", "WORKRS"}
    names = [line.partition(":")[0] for line in expected]
    assert found == [(name, "advice" if name in misspelt else "failed") for name in names]
    assert refusal(checked, 3) == "Error: The service cannot run: settings. 'app config example' lists all."


def test_a_misspelt_name_alone_stops_nothing_and_is_shown(cli: Cli) -> None:
    remark = "not a setting; WORKERS is one (set in the environment)."
    result = cli("config", "show", "--json", WORKRS="3")
    [advice] = [each for each in json.loads(cli("check", "--json", WORKRS="3").stdout) if each["found"] == "WORKRS"]

    assert json.loads(result.stdout)
    assert (result.exit_code, result.stderr) == (0, f"WORKRS: {remark}\n")
    assert (advice["status"], advice["hint"]) == ("advice", remark.capitalize().replace("workers", "WORKERS"))
