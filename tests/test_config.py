"""Every variable by its name, what it takes, what it refuses, and what follows from it."""

from pathlib import Path
from typing import Any

import pytest

from app.asgi import load_settings
from app.config import Settings
from app.domain.accounts.settings import AccountSettings
from app.domain.auth.settings import AuthSettings
from app.lib.settings import ConfigurationError, Secret, described_fields
from tests.lib.security.forge import PEM
from tests.support.each import each
from tests.support.environment import refusal, settings_from
from tests.support.listed import agree

ROOT = Path(__file__).parent.parent
GOOD_SECRET = "u6Yp3ZrQw9Lk2Vx8Nt4Bs7Hd1Fg5Jc0Ma"
POSTGRESQL = "postgresql+asyncpg://ann@db.internal/app"

TAKEN: list[tuple[str, str, Any]] = [
    ("HOST", "127.0.0.2", "127.0.0.2"),
    ("PORT", "9000", 9000),
    ("WORKERS", "4", 4),
    ("HTTP2", "on", True),
    ("REALTIME_MAX_MESSAGE_BYTES", "8000", 8_000),
    ("REALTIME_MAX_MESSAGES_PER_DAY", "500", 500),
    ("REALTIME_KEEP_DAYS", "30", 30),
    ("ORDER_MAX_OPEN", "0", 0),
    ("ORDER_MAX_OPEN_PIECES", "7", 7),
    ("ORDER_EXPIRE_MINUTES_UNVERIFIED", "5", 5),
    ("AUDIT_FAILED_SIGN_IN_DAYS", "9", 9),
    ("AUDIT_RETENTION_DAYS", "9", 9),
    ("DATABASE_URL", POSTGRESQL, POSTGRESQL),
    ("DATABASE_POOL_SIZE", "25", 25),
    ("DATABASE_ECHO", "true", True),
    ("DATABASE_POOLER", "on", True),
    ("AUTO_MIGRATE", "no", False),
    ("SECRET_KEY", GOOD_SECRET, Secret(GOOD_SECRET)),
    ("SECRET_KEY_FALLBACKS", "one, two", (Secret("one"), Secret("two"))),
    ("ENVIRONMENT", "test", "test"),
    ("ALLOW_DEVELOPMENT_ON_NETWORK", "on", True),
    ("DEBUG", "yes", True),
    ("PUBLIC_URL", "https://API.example.com:443/", "https://api.example.com"),
    ("CORS_ORIGINS", "https://a.example,http://localhost:3000", ("https://a.example", "http://localhost:3000")),
    ("CORS_HEADERS", "X-Client-Version, DPoP", ("X-Client-Version", "DPoP")),
    ("TRUSTED_PROXIES", "10.0.0.0/8, ::1", ("10.0.0.0/8", "::1")),
    ("REDIS_URL", "redis://:pw@redis.internal:6379/0", Secret("redis://:pw@redis.internal:6379/0")),
    ("ACCESS_TOKEN_EXPIRE_MINUTES", "5", 5),
    ("REFRESH_TOKEN_EXPIRE_DAYS", "7", 7),
    ("SESSION_EXPIRE_DAYS", "60", 60),
    ("AUTH_CACHE_SECONDS", "0.5", 0.5),
    ("PASSWORD_MIN_LENGTH", "15", 15),
    ("DEFAULT_ROLE", "member", "member"),
    ("REQUIRE_VERIFIED_EMAIL", "1", True),
    ("PUBLIC_APP_URL", "https://WWW.example.com/", "https://www.example.com"),
    ("PASSKEY_DOMAIN", "localhost", "localhost"),
    ("PASSKEY_ORIGINS", "https://WWW.example.com/", ("https://www.example.com",)),
    ("JWT_PRIVATE_KEY", PEM, Secret(PEM)),
    ("JWT_PRIVATE_KEY_FALLBACKS", f"{PEM}, {PEM}", (Secret(PEM), Secret(PEM))),
    ("RATE_LIMIT_ENABLED", "off", False),
    ("RATE_LIMIT_DEFAULT", "100/minute", "100/minute"),
    ("RATE_LIMIT_AUTH", "5 per hour", "5 per hour"),
    ("RATE_LIMIT_WRONG_PASSWORDS", "5 per hour", "5 per hour"),
    ("RATE_LIMIT_WRONG_PASSWORDS_TOGETHER", "5 per hour", "5 per hour"),
    ("JOBS_WORKER", "external", "external"),
    ("JOBS_CONCURRENCY", "2", 2),
    ("JOBS_RETENTION_DAYS", "30", 30),
    ("JOBS_FAILED_RETENTION_DAYS", "30", 30),
    ("EVENTS_RETENTION_DAYS", "30", 30),
    ("ORDER_EXPIRE_MINUTES", "5", 5),
    ("PAYMENT_PROVIDER", "none", "none"),
    ("ALLOW_TEST_PAYMENTS", "yes", True),
    ("PRODUCT_NAME", "Polaris", "Polaris"),
    ("API_CONTACT_URL", "https://polaris.example/help", "https://polaris.example/help"),
    ("API_CONTACT_EMAIL", "api@polaris.example", "api@polaris.example"),
    ("MAIL_BACKEND", "FILE", "file"),
    ("MAIL_FROM", "Polaris <post@example.com>", "Polaris <post@example.com>"),
    ("MAIL_COLOR", "#aa0000", "#aa0000"),
    ("MAIL_DIRECTORY", "post", "post"),
    ("SMTP_HOST", "smtp.internal", "smtp.internal"),
    ("SMTP_PORT", "2525", 2525),
    ("SMTP_USER", "lodestar", "lodestar"),
    ("SMTP_TLS", "false", "false"),
    ("SMTP_CA_FILE", "ca.pem", "ca.pem"),
    ("SMTP_CONNECTIONS", "2", 2),
    ("OIDC_PROVIDERS", "[]", Secret("[]")),
    ("OIDC_ALLOW_PRIVATE", "on", True),
    ("WEBHOOKS_ALLOW_PRIVATE", "on", True),
    ("WEBHOOKS_MAX_PENDING", "5", 5),
    ("MAX_CONNECTIONS_PER_ADDRESS", "100", 100),
    ("MAX_OPEN_PER_ADDRESS", "5", 5),
    ("LOG_LEVEL", "WARNING", "warning"),
    ("LOG_FORMAT", "console", "console"),
    ("REQUEST_MAX_BODY_SIZE", "512KiB", 524_288),
    ("REQUEST_BODY_TIMEOUT", "2.5", 2.5),
    ("SHUTDOWN_DELAY", "3", 3.0),
    ("METRICS_TOKEN", "scrape-me", Secret("scrape-me")),
    ("SENTRY_DSN", "https://key@sentry.example.com/1", Secret("https://key@sentry.example.com/1")),
    ("DOCS", "off", "off"),
]

HIDDEN = "hunter2"
REFUSED = [
    ("PORT", "http"),
    ("PORT", "0"),
    ("PORT", "65536"),
    ("WORKERS", "0"),
    ("WORKERS", "two"),
    ("DATABASE_URL", f"mysql://root:{HIDDEN}@db/app"),
    ("DATABASE_URL", f"postgresql://ann:{HIDDEN}@db:port/app"),
    ("DATABASE_URL", f"postgresql://ann:{HIDDEN}@db/app?sslmode=perhaps"),
    ("DATABASE_URL", f"postgresql://ann:x@{HIDDEN}!y@db/app"),
    ("DATABASE_URL", HIDDEN),
    ("DATABASE_URL", "sqlite://"),
    ("DATABASE_URL", "sqlite+aiosqlite:///:memory:"),
    ("DATABASE_URL", "sqlite:///file:x?mode=memory"),
    ("DATABASE_URL", "sqlite:///data/why?.db"),
    ("DATABASE_URL", "postgresql://ann@db:0/app"),
    ("DATABASE_URL", "postgresql://ann@db:99999/app"),
    ("DATABASE_URL", "postgresql://ann@/app?host=db&port=99999"),
    ("DATABASE_DIRECT_URL", f"postgresql://ann:{HIDDEN}@db/app"),
    ("DATABASE_POOL_SIZE", "0"),
    ("DATABASE_ECHO", "perhaps"),
    ("DATABASE_POOLER", "2"),
    ("AUTO_MIGRATE", "later"),
    ("ENVIRONMENT", "staging"),
    ("DEBUG", "maybe"),
    ("HOST", "two words"),
    ("CORS_ORIGINS", "https://a.example,https://b.example/path"),
    ("CORS_ORIGINS", "a.example"),
    ("CORS_ORIGINS", "https://*.example.com"),
    ("CORS_ORIGINS", "null"),
    ("CORS_HEADERS", "X-Client Version"),
    ("CORS_HEADERS", "X-\u00c4"),
    ("TRUSTED_PROXIES", "10.0.0.0/8,proxy"),
    ("REDIS_URL", f"http://:{HIDDEN}@redis"),
    ("REDIS_URL", f"redis://:{HIDDEN}@redis:99999"),
    ("REDIS_URL", "redis://redis/cache"),
    ("REDIS_URL", "redis://redis/0/1"),
    ("REDIS_URL", f"redis://:x@{HIDDEN}@redis/0"),
    ("REDIS_URL", f"redis://:{HIDDEN}/x@redis/0"),
    ("SMTP_HOST", f"ann:{HIDDEN}@smtp.internal"),
    ("SMTP_HOST", f"smtp://ann:{HIDDEN}@smtp.internal"),
    ("SMTP_HOST", "smtp.internal:587"),
    ("ACCESS_TOKEN_EXPIRE_MINUTES", "0"),
    ("REFRESH_TOKEN_EXPIRE_DAYS", "forever"),
    ("SESSION_EXPIRE_DAYS", "-1"),
    ("AUTH_CACHE_SECONDS", "1.5"),
    ("AUTH_CACHE_SECONDS", "nan"),
    ("PASSWORD_MIN_LENGTH", "7"),
    ("DEFAULT_ROLE", "super-user"),
    ("REQUIRE_VERIFIED_EMAIL", "sometimes"),
    ("PUBLIC_APP_URL", "https://www.example.com/app"),
    ("RATE_LIMIT_ENABLED", "almost"),
    ("RATE_LIMIT_DEFAULT", "a lot"),
    ("RATE_LIMIT_AUTH", "0/minute"),
    ("JOBS_WORKER", "outside"),
    ("JOBS_CONCURRENCY", "0"),
    ("JOBS_RETENTION_DAYS", "0"),
    ("PRODUCT_NAME", "x" * 61),
    ("PRODUCT_NAME", "A\tB"),
    ("API_CONTACT_URL", "javascript:alert(1)"),
    ("API_CONTACT_EMAIL", "not an address"),
    ("SENTRY_DSN", "https://sentry.example.com/1"),
    ("SENTRY_DSN", "https://key@sentry.example.com/"),
    ("SENTRY_DSN", "key@sentry.example.com/1"),
    ("API_CONTACT_EMAIL", "a@example.com\nBcc: b@example.com"),
    ("PRODUCT_NAME", "A\u2028B"),
    ("MAIL_BACKEND", "pigeon"),
    ("MAIL_FROM", "no-address"),
    ("MAIL_FROM", "A <a@example.com\r\nBcc: b@example.com>"),
    ("MAIL_COLOR", "red"),
    ("SMTP_PORT", "0"),
    ("SMTP_TLS", "maybe"),
    ("SMTP_CONNECTIONS", "0"),
    ("OIDC_PROVIDERS", "acme"),
    ("OIDC_ALLOW_PRIVATE", "sometimes"),
    ("WEBHOOKS_ALLOW_PRIVATE", "sometimes"),
    ("WEBHOOKS_MAX_PENDING", "0"),
    ("MAX_OPEN_PER_ADDRESS", "0"),
    ("LOG_LEVEL", "loud"),
    ("LOG_FORMAT", "xml"),
    ("REQUEST_MAX_BODY_SIZE", "2 parsecs"),
    ("REQUEST_MAX_BODY_SIZE", "0"),
    ("REQUEST_BODY_TIMEOUT", "0"),
    ("SHUTDOWN_DELAY", "inf"),
    ("DOCS", "private"),
    ("JWT_PRIVATE_KEY", f"-----BEGIN {HIDDEN}"),
    ("SECRET_KEY_FILE", f"-----BEGIN PRIVATE KEY-----\n{HIDDEN}\n"),
]


def production(**environ: str) -> dict[str, str]:
    required = {"SECRET_KEY": GOOD_SECRET, "PUBLIC_URL": "https://api.example.com"}
    return {"ENVIRONMENT": "production", **required, **environ}


def value_of(settings: Settings, name: str) -> Any:
    """Of a variable, wherever it is kept."""
    parts = (settings, *settings.sections.values())
    return next(getattr(part, name.lower()) for part in parts if hasattr(part, name.lower()))


def test_the_defaults_run() -> None:
    settings = settings_from()

    assert settings == Settings(sections=settings.sections)
    assert all(section == type(section)() for section in settings.sections.values())
    assert settings.database.is_sqlite
    assert (settings.host, settings.port, settings.workers) == ("127.0.0.1", 8000, 1)
    assert (settings.rate_limit_default, settings.section(AuthSettings).rate_limit_auth) == ("600/minute", "30/minute")
    assert settings.request_max_body_size == 2_000_000
    assert not settings.section(AccountSettings).require_verified_email


@each(TAKEN)
def test_a_variable_is_taken_by_its_name(taken: tuple[str, str, Any]) -> None:
    name, text, value = taken
    settings, origins = load_settings({name: text}, None)

    assert value_of(settings, name) == value
    assert value_of(load_settings({}, None)[0], name) != value, "the test shows nothing"
    assert {key for key, origin in origins.items() if origin != "default"} == {name}


def test_a_variable_is_taken_from_a_file(tmp_path: Path) -> None:
    for name, text, value in TAKEN:
        (tmp_path / "value").write_text(f"{text}\n")

        assert value_of(settings_from(**{f"{name}_FILE": str(tmp_path / "value")}), name) == value, name


@pytest.mark.parametrize("wrapped", ['"{}"', "'{}'", "\ufeff{}", '\ufeff"{}"\r\n', "{}\r"])
def test_what_editors_and_docker_put_around_a_value_is_taken_off(tmp_path: Path, wrapped: str) -> None:
    for name, text, value in TAKEN:
        (tmp_path / "value").write_bytes(wrapped.format(text).encode())

        assert value_of(settings_from(**{name: wrapped.format(text)}), name) == value, name
        assert value_of(settings_from(**{f"{name}_FILE": wrapped.format(tmp_path / "value")}), name) == value, name


def test_a_file_of_settings_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("\ufeffPORT=9000\nWORKERS=2\n", encoding="utf-8")

    settings = load_settings({}, tmp_path / ".env")[0]

    assert (settings.port, settings.workers) == (9000, 2)


@pytest.mark.parametrize("value", ['"', "'a'b'", '"Ada" <ada@example.com>', 'a"', "it's"])
def test_quotes_that_belong_to_a_value_stay(value: str) -> None:
    assert settings_from(SMTP_USER=value).smtp_user == value


def test_every_setting_is_in_the_list_above() -> None:
    listed = {name.lower() for name, _, _ in TAKEN} | {"database_direct_url", "smtp_password"}  # good with another only

    settings = settings_from()
    parts = (settings, *settings.sections.values())
    agree((field.name for part in parts for field in described_fields(type(part))), listed, "TAKEN")


def test_migrations_may_go_around_the_pooler() -> None:
    around = "postgresql://owner@db.internal/app"
    settings = settings_from(DATABASE_URL=POSTGRESQL, DATABASE_DIRECT_URL=around)

    assert settings.database.url.username == "ann"
    assert settings.migration_database.url.username == "owner"
    assert settings_from(DATABASE_URL=POSTGRESQL).migration_database.url.username == "ann"
    assert refusal(DATABASE_URL=POSTGRESQL, DATABASE_DIRECT_URL="sqlite:///x.db").startswith("DATABASE_DIRECT_URL: ")


@each(REFUSED)
def test_a_bad_value_is_one_line_that_names_the_variable(refused: tuple[str, str]) -> None:
    name, text = refused
    line = refusal(**{name: text})

    assert line.startswith(f"{name}: ")
    assert len(line.splitlines()) == 1
    assert len(line) > len(f"{name}: ") + 8
    assert HIDDEN not in line


@pytest.mark.asvs("13.3.1")
def test_settings_can_be_printed_without_their_secrets() -> None:
    hidden = f"{HIDDEN}-{GOOD_SECRET}"
    settings = settings_from(
        DATABASE_URL=f"postgresql://ann:{HIDDEN}@db/app",
        DATABASE_DIRECT_URL=f"postgresql://ann:{HIDDEN}@direct/app",
        SECRET_KEY=hidden,
        SECRET_KEY_FALLBACKS=hidden,
        REDIS_URL=f"redis://:{HIDDEN}@redis/0",
        JWT_PRIVATE_KEY=PEM,
        JWT_PRIVATE_KEY_FALLBACKS=PEM,
        METRICS_TOKEN=hidden,
    )

    assert HIDDEN not in repr(settings)
    assert HIDDEN not in str(settings)
    assert "@direct/app" in repr(settings)


@pytest.mark.parametrize(
    ("environ", "variable"),
    [
        pytest.param({"SECRET_KEY": ""}, "SECRET_KEY", id="no secret"),
        pytest.param({"SECRET_KEY": GOOD_SECRET[:31]}, "SECRET_KEY", id="short"),
        pytest.param({"SECRET_KEY": "change-me-" * 5}, "SECRET_KEY", id="well-known"),
        pytest.param({"SECRET_KEY": "Your-SECRET-here-0123456789-0123456789"}, "SECRET_KEY", id="a placeholder"),
        pytest.param({"SECRET_KEY": "a" * 64}, "SECRET_KEY", id="one character"),
        pytest.param({"SECRET_KEY_FALLBACKS": f"{GOOD_SECRET},short"}, "SECRET_KEY_FALLBACKS", id="short fallback"),
        pytest.param({"PUBLIC_URL": ""}, "PUBLIC_URL", id="no public URL"),
        pytest.param({"PUBLIC_URL": "http://api.example.com"}, "PUBLIC_URL", id="a public URL without TLS"),
        pytest.param({"METRICS_TOKEN": "scrape-me"}, "METRICS_TOKEN", id="short token"),
        pytest.param({"METRICS_TOKEN": "secret" * 6}, "METRICS_TOKEN", id="well-known token"),
        pytest.param({"DEBUG": "true"}, "DEBUG", id="debug"),
        pytest.param({"CORS_ORIGINS": "https://a.example,*"}, "CORS_ORIGINS", id="any origin"),
        pytest.param({"RATE_LIMIT_ENABLED": "false"}, "RATE_LIMIT_ENABLED", id="no limits"),
        pytest.param({"WEBHOOKS_ALLOW_PRIVATE": "true"}, "WEBHOOKS_ALLOW_PRIVATE", id="private webhooks"),
        pytest.param({"PAYMENT_PROVIDER": "test"}, "PAYMENT_PROVIDER", id="test money"),
    ],
)
@pytest.mark.asvs("13.4.2")
def test_production_refuses_what_is_only_good_for_development(environ: dict[str, str], variable: str) -> None:
    line = refusal(**production(**environ))

    assert line.startswith(f"{variable}: ")
    assert all(not value or value not in line for name, value in environ.items() if "SECRET" in name)
    assert settings_from(**environ).environment == "development"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "api.internal", "localhost.example"])  # noqa: S104 - refused
def test_development_is_refused_where_others_may_reach_it(host: str) -> None:
    assert refusal(HOST=host).startswith("ENVIRONMENT: development is refused")
    assert settings_from(HOST=host, ALLOW_DEVELOPMENT_ON_NETWORK="true").host == host
    assert settings_from(**production(HOST=host)).host == host


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "localhost", "App.localhost"])
def test_development_is_for_this_machine(host: str) -> None:
    assert settings_from(HOST=host).environment == "development"


def test_production_runs_with_a_good_secret() -> None:
    settings = settings_from(**production(SECRET_KEY_FALLBACKS=GOOD_SECRET[::-1]))

    assert settings.is_production
    assert settings.signing_secret == GOOD_SECRET
    assert settings.fallback_secrets == (GOOD_SECRET[::-1],)


@pytest.mark.parametrize(
    ("environ", "migrates"),
    [
        ({}, True),
        ({"AUTO_MIGRATE": "false"}, False),
        (production(), False),
        (production(AUTO_MIGRATE="true"), True),
        ({"ENVIRONMENT": "test"}, True),
    ],
)
def test_production_migrates_at_start_only_when_set(environ: dict[str, str], migrates: bool) -> None:
    assert settings_from(**environ).migrates_at_start is migrates


def test_debug_logs_everything() -> None:
    assert settings_from(LOG_LEVEL="error").effective_log_level == "error"
    assert settings_from(LOG_LEVEL="error", DEBUG="1").effective_log_level == "debug"


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("sqlite:///x.db", "sqlite+aiosqlite:///x.db"),
        ("sqlite+aiosqlite:////srv/x.db", "sqlite+aiosqlite:////srv/x.db"),
        ("postgres://ann@db/app", "postgresql+asyncpg://ann@db/app"),
        ("postgresql://ann@db/app", "postgresql+asyncpg://ann@db/app"),
        (POSTGRESQL, POSTGRESQL),
        ("postgresql://ann@db/app?sslmode=require", "postgresql+asyncpg://ann@db/app?ssl=require"),
    ],
)
def test_every_spelling_of_a_database_url_is_understood(text: str, made: str) -> None:
    assert str(settings_from(DATABASE_URL=text).database.url) == made


def test_a_short_secret_is_stretched_outside_production() -> None:
    settings = settings_from(SECRET_KEY="short", SECRET_KEY_FALLBACKS="older")

    assert len(settings.signing_secret.encode()) >= 32
    assert settings.signing_secret == settings_from(SECRET_KEY="short").signing_secret
    assert settings.signing_secret != settings.fallback_secrets[0]
    assert "short" not in settings.signing_secret


def test_without_a_secret_nothing_is_signed() -> None:
    with pytest.raises(ConfigurationError, match=r"^SECRET_KEY: "):
        _ = settings_from().signing_secret
