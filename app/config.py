"""Every setting of the service, its default and its meaning."""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import Meta

from app.lib.addresses import is_loopback, parse_address, parse_network
from app.lib.db.engine import DatabaseOptions, PoolSizes
from app.lib.db.url import DatabaseURL
from app.lib.mail.message import MAIL_DOMAIN, Mailbox
from app.lib.mail.smtp import SMTPOptions, SMTPSecurity, check_ca_file
from app.lib.ratelimit.limiter import Limit
from app.lib.security.secret_key import stretched, weaknesses
from app.lib.settings import (
    AllowedOrigin,
    ByteSize,
    ConfigurationError,
    Secret,
    WebAddress,
    all_faults,
    check_credentials,
    is_url,
    refused,
)

_PRODUCT = "lodestar"
_REDIS_SCHEMES = {"redis", "rediss", "valkey", "valkeys", "unix"}
_HOST = re.compile(r"[^\s:/?#@\[\]]+|[0-9a-fA-F:.]+")
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
COLOR = re.compile(r"#[0-9a-fA-F]{6}")


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of a domain: a subclass with a default for each field, named like their environment variables."""

    def faults(self, settings: "Settings") -> Iterable[str]:
        """A line ``NAME: what it takes`` for each value that is refused, alone or with the settings of the process. It
        names the other settings that it looks at, so that it is left out where one of those is wrong itself.
        """
        return ()


S = TypeVar("S", bound=Section)


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of a process, immutable. Field ``database_url`` is the variable ``DATABASE_URL``, and so on."""

    host: Annotated[str, Meta(description="Address to listen on.")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=1, le=65535, description="Port to listen on.")] = 8000
    workers: Annotated[int, Meta(ge=1, le=256, description="Worker processes of `app serve`.")] = 1
    http2: Annotated[
        bool, Meta(description="Take HTTP/2, too: behind a proxy only, because nothing ends silent connections then.")
    ] = False
    database_url: Annotated[
        str, Meta(description="`sqlite+aiosqlite:///file` or `postgresql+asyncpg://user:password@host/name`.")
    ] = "sqlite+aiosqlite:///data/lodestar.db"
    database_pool_size: Annotated[
        Annotated[int, Meta(ge=1, le=500)] | None,
        Meta(
            description=(
                "PostgreSQL connections per worker, for reads and again for writes; jobs have half as many again. "
                "Default: up to 10, so that all workers together open at most 80."
            ),
        ),
    ] = None
    database_echo: Annotated[bool, Meta(description="Log every SQL statement.")] = False
    database_pooler: Annotated[
        bool, Meta(description="The database is reached through PgBouncer in transaction mode.")
    ] = False
    database_direct_url: Annotated[
        str | None, Meta(description="PostgreSQL without the pooler, for migrations; default `DATABASE_URL`.")
    ] = None
    auto_migrate: Annotated[
        bool | None, Meta(description="Migrate before the workers start; default on, off in production.")
    ] = None
    secret_key: Annotated[
        Secret | None, Meta(description="Signs tokens; at least 32 characters. Made and kept in development.")
    ] = None
    secret_key_fallbacks: Annotated[
        tuple[Secret, ...], Meta(description="Former secrets that still verify, while they are rotated out.")
    ] = ()
    environment: Annotated[
        Literal["development", "test", "production"], Meta(description="development, test or production.")
    ] = "development"
    allow_development_on_network: Annotated[
        bool, Meta(description="Let `ENVIRONMENT=development` listen on an address that others may reach.")
    ] = False
    debug: Annotated[bool, Meta(description="Log everything; refused in production.")] = False
    public_url: Annotated[
        WebAddress | None,
        Meta(description="Where people reach the service, with the path if it is below one; all links begin with it."),
    ] = None
    cors_origins: Annotated[
        tuple[AllowedOrigin, ...], Meta(description="Origins that browsers call from, e.g. `https://app.example.com`.")
    ] = ()
    cors_headers: Annotated[
        tuple[str, ...], Meta(description="More request headers that pages of these origins may send.")
    ] = ()
    trusted_proxies: Annotated[
        tuple[str, ...], Meta(description="Addresses or networks of proxies, whose X-Forwarded-For counts.")
    ] = ()
    redis_url: Annotated[
        Secret | None, Meta(description="Redis or Valkey: shares rate limits and realtime events between workers.")
    ] = None
    rate_limit_enabled: Annotated[
        bool, Meta(description="Off turns off every limit and throttle; refused in production.")
    ] = True
    rate_limit_default: Annotated[str, Meta(description="Per client address, all routes together.")] = "600/minute"
    max_open_per_address: Annotated[
        int, Meta(ge=1, description="Requests, streams and sockets of a client address at a time, in each process.")
    ] = 256
    jobs_worker: Annotated[
        Literal["inside", "external", "off"],
        Meta(description="Where jobs run: inside each worker process, external (`app worker`), or off: they wait."),
    ] = "inside"
    jobs_concurrency: Annotated[int, Meta(ge=1, le=200, description="Jobs that a process runs at a time.")] = 20
    product_name: Annotated[str, Meta(min_length=1, max_length=60, description="Name in mails, pages, documents.")] = (
        "Lodestar"
    )
    mail_backend: Annotated[
        Literal["console", "file", "smtp"], Meta(description="Where mails go: console, file or smtp.")
    ] = "console"
    mail_from: Annotated[
        str | None,
        Meta(description="Sender, e.g. `Shop <noreply@example.com>`; default noreply@ `PUBLIC_URL`'s host."),
    ] = None
    mail_color: Annotated[str, Meta(description="Of headings and buttons in mails, e.g. `#2952cc`.")] = "#2952cc"
    mail_directory: Annotated[str, Meta(min_length=1, description="Folder of `MAIL_BACKEND=file`.")] = "data/mail"
    smtp_host: Annotated[str | None, Meta(description="Mail server; required for `MAIL_BACKEND=smtp`.")] = None
    smtp_port: Annotated[
        Annotated[int, Meta(ge=1, le=65535)] | None,
        Meta(description="Default 587, with implicit TLS 465, without TLS 25."),
    ] = None
    smtp_user: Annotated[str | None, Meta(description="Name to sign in with at the mail server.")] = None
    smtp_password: Annotated[Secret | None, Meta(description="Password for it.")] = None
    smtp_tls: Annotated[
        Literal["none", "starttls", "implicit", "false"], Meta(description="starttls, implicit or none (also: false).")
    ] = "starttls"
    smtp_ca_file: Annotated[
        str | None, Meta(description="Certificates (PEM) that vouch for the mail server, if not the system's.")
    ] = None
    smtp_connections: Annotated[int, Meta(ge=1, le=100, description="Connections to it per worker, at most.")] = 5
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Meta(description="debug, info, warning or error.")
    ] = "info"
    log_format: Annotated[
        Literal["auto", "json", "console"], Meta(description="auto is console in a terminal, else json.")
    ] = "auto"
    request_max_body_size: Annotated[
        ByteSize, Meta(description="Largest request body of any route, e.g. 2MB; most take 16kB.")
    ] = ByteSize(2_000_000)
    request_body_timeout: Annotated[
        float, Meta(gt=0, le=600, description="Seconds a client may be silent while it sends a body.")
    ] = 15.0
    shutdown_delay: Annotated[
        float, Meta(ge=0, le=120, description="Seconds that readiness is 503 before the listener closes.")
    ] = 0.0
    docs: Annotated[Literal["public", "off"], Meta(description="Documentation pages: public or off.")] = "public"
    sections: Mapping[type[Section], Section] = {}

    def __post_init__(self) -> None:
        rules = (_database_faults, _address_faults, _mail_faults, _production_faults)
        sections = [section.faults(self) for section in self.sections.values()]
        if found := all_faults([*(rule(self) for rule in rules), *sections]):
            raise ConfigurationError(*found)

    def section(self, kind: type[S]) -> S:
        """The settings of a domain; its defaults where they were not read."""
        found = self.sections.get(kind)
        return found if isinstance(found, kind) else kind()

    def __repr__(self) -> str:
        """Without the databases' passwords; secrets hide themselves."""
        urls = {"database_url": self.database_url, "database_direct_url": self.database_direct_url}
        shown = msgspec.structs.asdict(self) | {n: DatabaseURL.parse(url).masked for n, url in urls.items() if url}
        return f"Settings({', '.join(f'{name}={value!r}' for name, value in shown.items())})"

    @property
    def is_production(self) -> bool:
        return self.environment == "production"

    @property
    def database(self) -> DatabaseURL:
        return DatabaseURL.parse(self.database_url)

    @property
    def migration_database(self) -> DatabaseURL:
        return DatabaseURL.parse(self.database_direct_url or self.database_url)

    @property
    def migration_setting(self) -> str:
        """The name of the setting that :attr:`migration_database` comes from."""
        return "DATABASE_DIRECT_URL" if self.database_direct_url else "DATABASE_URL"

    @property
    def database_options(self) -> DatabaseOptions:
        return DatabaseOptions(
            url=self.database,
            name=_PRODUCT,
            pool_size=self.pool_sizes.requests,
            echo=self.database_echo,
            pooler=self.database_pooler,
        )

    @property
    def pool_sizes(self) -> PoolSizes:
        return PoolSizes.of(self.workers + (self.jobs_worker == "external"), self.database_pool_size)

    @property
    def can_listen(self) -> bool:
        """Whether the database is a PostgreSQL that is not only reached through a pooler."""
        return not self.database.is_sqlite and not (self.database_pooler and self.database_direct_url is None)

    @property
    def migrates_at_start(self) -> bool:
        return not self.is_production if self.auto_migrate is None else self.auto_migrate

    @property
    def base_url(self) -> str:
        """The address as text; paths are added to it."""
        return str(self.address)

    @property
    def address(self) -> WebAddress:
        """The public URL, or else the address that the service listens on."""
        if self.public_url is not None:
            return self.public_url
        address = parse_address(self.host)
        host = "127.0.0.1" if address and address.is_unspecified else str(address or self.host)
        return WebAddress.parse(f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}")

    @property
    def shows_mailbox(self) -> bool:
        """Whether `/dev/mail` is there."""
        return self.environment == "development"

    @property
    def mail_sender(self) -> Mailbox:
        """Who mails come from."""
        if self.mail_from:
            sender = Mailbox.parse(self.mail_from)
            return Mailbox(sender.address, sender.name or self.product_name)
        host = self.address.host
        domain = host if MAIL_DOMAIN.fullmatch(host) and not parse_address(host) else "localhost"
        return Mailbox(f"noreply@{domain}", self.product_name)

    @property
    def smtp(self) -> SMTPOptions | None:
        """The mail server, for ``MAIL_BACKEND=smtp``."""
        if self.mail_backend != "smtp" or self.smtp_host is None:
            return None
        security: SMTPSecurity = "none" if self.smtp_tls == "false" else self.smtp_tls
        return SMTPOptions(
            host=self.smtp_host,
            port=self.smtp_port or {"starttls": 587, "implicit": 465, "none": 25}[security],
            security=security,
            user=self.smtp_user,
            password=self.smtp_password,
            ca_file=Path(self.smtp_ca_file) if self.smtp_ca_file else None,
            hello_name=self.mail_sender.domain,
            connections=self.smtp_connections,
        )

    @property
    def effective_log_level(self) -> str:
        return "debug" if self.debug else self.log_level

    @property
    def signing_secret(self) -> str:
        """The secret key, long enough to sign with. Raises ``ConfigurationError`` when there is none.

        Outside production a short one is taken, too, and stretched by hashing; :func:`with_secret_key` makes one
        where none is set.
        """
        if self.secret_key is None:
            raise ConfigurationError("SECRET_KEY: required")
        return stretched(self.secret_key)

    @property
    def fallback_secrets(self) -> tuple[str, ...]:
        return tuple(stretched(secret) for secret in self.secret_key_fallbacks)


def _database_faults(settings: Settings) -> Iterator[str]:
    yield from refused("DATABASE_URL", DatabaseURL.parse, settings.database_url)
    if settings.database_direct_url:
        yield from refused("DATABASE_DIRECT_URL", DatabaseURL.parse, settings.database_direct_url)
        if settings.database.is_sqlite or settings.migration_database.is_sqlite:
            yield "DATABASE_DIRECT_URL: only for PostgreSQL, see DATABASE_URL"


def _address_faults(settings: Settings) -> Iterator[str]:
    expected = "expected an address or a host name"
    yield from (no_host := [*refused("HOST", lambda _: settings.address, settings.host, expected=expected)])
    may_listen = settings.environment != "development" or settings.allow_development_on_network
    if not (no_host or may_listen or is_loopback(settings.host)):
        yield "ENVIRONMENT: development is refused on a network (HOST): ALLOW_DEVELOPMENT_ON_NETWORK"
    if settings.redis_url:
        yield from refused("REDIS_URL", _check_redis, settings.redis_url.reveal())
    yield from refused("RATE_LIMIT_DEFAULT", Limit.parse, settings.rate_limit_default)
    if not all(_TOKEN.fullmatch(name) for name in settings.cors_headers):
        yield "CORS_HEADERS: expected names of headers such as X-Client-Version"
    yield from refused("TRUSTED_PROXIES", parse_network, *settings.trusted_proxies)


def _check_redis(url: str) -> None:
    check_credentials(url)
    if not is_url(url, _REDIS_SCHEMES, r"/?\d*"):
        raise ValueError("expected a URL such as redis://host:6379/0")


def _mail_faults(settings: Settings) -> Iterator[str]:
    uses_smtp = settings.mail_backend == "smtp"
    wrong_host = settings.smtp_host and not _HOST.fullmatch(settings.smtp_host)
    broken = {
        "MAIL_COLOR: expected a colour such as #2952cc": not COLOR.fullmatch(settings.mail_color),
        "SMTP_HOST: required with MAIL_BACKEND=smtp": uses_smtp and not settings.smtp_host,
        "SMTP_HOST: expected a host name or address alone; see SMTP_PORT and SMTP_USER": wrong_host,
        "SMTP_USER: required with SMTP_PASSWORD": settings.smtp_password and not settings.smtp_user,
    }
    yield from (line for line, is_broken in broken.items() if is_broken)
    expected = "expected one line without control characters"
    yield from refused("PRODUCT_NAME", partial(Mailbox, "a@localhost"), settings.product_name, expected=expected)
    expected = "expected an address such as Shop <noreply@example.com>"
    yield from refused("MAIL_FROM", Mailbox.parse, *filter(None, [settings.mail_from]), expected=expected)
    if uses_smtp:
        yield from refused("SMTP_CA_FILE", check_ca_file, *filter(None, [settings.smtp_ca_file]))
    if uses_smtp and settings.is_production and settings.mail_sender.domain == "localhost":
        yield "MAIL_FROM: required in production, unless PUBLIC_URL has a domain name for one"


def _production_faults(settings: Settings) -> Iterator[str]:
    broken = {
        "SECRET_KEY: required in production (app keys generate)": settings.secret_key is None,
        "PUBLIC_URL: required in production, with https": not (settings.public_url or "").startswith("https:"),
        "DEBUG: refused in production": settings.debug,
        "CORS_ORIGINS: '*' is refused in production": "*" in settings.cors_origins,
        "RATE_LIMIT_ENABLED: off is refused in production": not settings.rate_limit_enabled,
    }
    if settings.is_production:
        yield from (line for line, is_broken in broken.items() if is_broken)
        yield from weaknesses("SECRET_KEY", filter(None, [settings.secret_key]), _PRODUCT)
        yield from weaknesses("SECRET_KEY_FALLBACKS", settings.secret_key_fallbacks, _PRODUCT)
