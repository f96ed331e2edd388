"""What ``app check`` looks at, one function each."""

import asyncio
import os
import shutil
import ssl
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Literal
from urllib.parse import SplitResult, urlsplit

import msgspec

from app.cli.configuration import check_connections
from app.config import Settings
from app.core import Core
from app.domain.accounts.services.queries import AccountQueries
from app.domain.accounts.settings import AccountSettings
from app.domain.system.settings import SystemSettings
from app.lib.addresses import is_loopback, parse_network
from app.lib.cli.errors import CommandFailed
from app.lib.cli.running import database_errors, state_of
from app.lib.clock import utc_now
from app.lib.db import sqlite
from app.lib.db.engine import ServerRow
from app.lib.db.migrations import SchemaState
from app.lib.mail.smtp import SMTPTransport
from app.lib.mail.transports import NoTransport, NotSent
from app.lib.names import Names
from app.lib.observability.tracing import endpoint
from app.lib.security.secret_key import weaknesses
from app.lib.serving.addresses import AddressUnavailable, claim
from app.lib.settings import WEB_SCHEMES

_OLDEST_POSTGRESQL = 15
_FIRST_YEAR, _LAST_YEAR = 2026, 2100
_CLOCKS_DIFFER, _CLOCKS_ARE_WRONG = timedelta(seconds=2), timedelta(minutes=1)
_WIDEST_PROXIES = {4: 8, 6: 16}
_REPORT_SECONDS = 3
_LITTLE_SPACE, _NO_SPACE = 2_000_000_000, 200_000_000


class Finding(msgspec.Struct, frozen=True):
    """``hint`` says what to do where the status is not ok."""

    name: str
    status: Literal["ok", "advice", "failed"]
    found: str
    hint: str | None = None


async def look(core: Core) -> AsyncIterator[Finding]:
    """Everything, in an order in which the first failure explains later ones."""
    settings = core.settings
    for each in (*_secret(settings), _address(settings), *_proxies(settings), *_disk(settings)):
        yield each
    if settings.database.is_sqlite:
        yield _sqlite()
    async for each in _database(core):
        yield each
    if core.redis is not None:
        is_there = await core.redis.check()
        yield Finding("redis", "ok" if is_there else "advice", "REDIS_URL", None if is_there else "It does not answer.")
    yield await _mail(core)
    dsn = core.services.get(SystemSettings).sentry_dsn
    if dsn is not None:
        yield await _service("error reports", "SENTRY_DSN", dsn.reveal())
    if traces := endpoint():
        certificate = os.environ.get("OTEL_EXPORTER_OTLP_CERTIFICATE")
        yield await _service("traces", "OTEL_EXPORTER_OTLP_ENDPOINT", traces, certificate)


def _secret(settings: Settings) -> Iterator[Finding]:
    """Production refuses the weak ones; elsewhere this says so in time."""
    own = [settings.secret_key] if settings.secret_key else []
    fallbacks = weaknesses("SECRET_KEY_FALLBACKS", settings.secret_key_fallbacks)
    for weak in (*weaknesses("SECRET_KEY", own), *fallbacks):
        yield Finding("secret", "advice", weak, "Make one by 'app keys generate'.")
        return
    yield Finding("secret", "ok", "SECRET_KEY")


def _address(settings: Settings) -> Finding:
    found = f"HOST={settings.host}, PORT={settings.port}"
    try:
        for each in claim(settings.host, settings.port, 1):
            each.close()
    except AddressUnavailable as exc:
        if exc.is_taken:
            return Finding("address", "advice", found, f"{exc}: good if that is the service.")
        return Finding("address", "failed", found, f"{exc}: set HOST and PORT to what this machine allows.")
    return Finding("address", "ok", found)


def _proxies(settings: Settings) -> Iterator[Finding]:
    found = ",".join(settings.trusted_proxies) or "TRUSTED_PROXIES is empty"
    networks = [parse_network(each) for each in settings.trusted_proxies]
    if any(each.prefixlen < _WIDEST_PROXIES[each.version] for each in networks):
        yield Finding("proxies", "failed", found, "Anyone can name any address as theirs: list your proxies alone.")
    elif settings.is_production and not networks and is_loopback(settings.host):
        hint = "Clients come through a proxy on this machine, and all count as one: set TRUSTED_PROXIES to its address."
        yield Finding("proxies", "advice", found, hint)
    else:
        yield Finding("proxies", "ok", found)


def _disk(settings: Settings) -> Iterator[Finding]:
    folder = settings.database.directory if settings.database.is_sqlite else Path()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    found = f"{free / 1e9:.1f} GB free at {folder.resolve()}"
    if free < _LITTLE_SPACE:
        yield Finding("disk", "failed" if free < _NO_SPACE else "advice", found, "Make room: a full disk stops writes.")
    else:
        yield Finding("disk", "ok", found)


def _sqlite() -> Finding:
    version = ".".join(map(str, sqlite.VERSION))
    found = f"{version} of {'pysqlite3' if sqlite.sqlite3.__name__ == 'pysqlite3' else 'Python'}"
    if sqlite.is_sound():
        return Finding("sqlite", "ok", found)
    sound = ".".join(map(str, sqlite.SOUND_VERSION))
    return Finding(
        "sqlite", "advice", found, f"Use {sound} or newer, or PostgreSQL: this one may lose data (WAL-reset bug)."
    )


async def _database(core: Core) -> AsyncIterator[Finding]:
    url = core.settings.database
    server = None
    if url.is_missing:
        yield Finding("database", "ok", f"{url.masked} is not there yet")
        yield _migrations(await state_of(core.migrations, core.database.reader), None)
    else:
        try:
            with database_errors(url):
                server = await core.database.server()
                state = await state_of(core.migrations, core.database.reader)
        except CommandFailed as exc:
            yield Finding("database", "failed", url.masked, exc.message)
            return
        yield _version(url.masked, server)
        yield _migrations(state, core.migrations.head)
        if state.is_usable and (hint := await missing_default_role(core)):
            yield Finding("default role", "advice", "DEFAULT_ROLE", hint)
        if connections := await check_connections(core):
            found, hint = connections
            yield Finding("connections", "advice" if hint else "ok", found, hint)
    yield _clock(server)


async def missing_default_role(core: Core) -> str | None:
    """What to do when the role of those who register is not there."""
    name = core.services.get(AccountSettings).default_role
    if name is None or await core.services.build(AccountQueries).has_role(name):
        return None
    return f"There is no role {name}, so who registers gets none: create it, or unset DEFAULT_ROLE."


def _version(url: str, server: ServerRow | None) -> Finding:
    if server is None:
        return Finding("database", "ok", url)
    major, minor = divmod(server.version, 10_000)
    found = f"{url}, PostgreSQL {major}.{minor}"
    if major < _OLDEST_POSTGRESQL:
        return Finding("database", "failed", found, f"Use PostgreSQL {_OLDEST_POSTGRESQL} or newer.")
    return Finding("database", "ok", found)


def _migrations(state: SchemaState, head: str | None) -> Finding:
    if state is SchemaState.CURRENT:
        return Finding("migrations", "ok", f"{head}")
    status: Literal["advice", "failed"] = "advice" if state.is_usable else "failed"
    return Finding("migrations", status, state.name.lower().replace("_", " "), state.value)


def _clock(server: ServerRow | None) -> Finding:
    """Tokens are good by it, and limits count by it."""
    now = utc_now()
    found = now.isoformat(timespec="seconds")
    if not _FIRST_YEAR <= now.year <= _LAST_YEAR:
        return Finding("clock", "failed", found, "The year cannot be right: set the clock of this machine by NTP.")
    apart = abs(now - server.now) if server else timedelta()
    if apart > _CLOCKS_DIFFER:
        found = f"{found}, {apart.total_seconds():.0f} s from the database's"
        status: Literal["advice", "failed"] = "failed" if apart > _CLOCKS_ARE_WRONG else "advice"
        return Finding("clock", status, found, "Set the clocks of both machines by NTP.")
    return Finding("clock", "ok", found)


def missing_mail(core: Core) -> str | None:
    """What to say where mails go nowhere."""
    return "No mail is sent: set MAIL_BACKEND=smtp." if isinstance(core.mail_transport, NoTransport) else None


async def _mail(core: Core) -> Finding:
    transport = core.mail_transport
    if not isinstance(transport, SMTPTransport):
        hint = missing_mail(core)
        return Finding("mail", "advice" if hint else "ok", f"MAIL_BACKEND={core.settings.mail_backend}", hint)
    found = f"{core.settings.smtp_host}"
    try:
        await transport.check()
    except NotSent as exc:
        return Finding("mail", "advice", found, f"{exc.reason}; mails wait until that works.")
    return Finding("mail", "ok", found)


async def _service(name: str, setting: str, url: str, certificate: str | None = None) -> Finding:
    """One that the service reports to and runs without: whether it resolves, connects and answers."""
    parts = urlsplit(url)
    found = f"{setting}: {parts.scheme}://{parts.hostname}"
    try:
        async with asyncio.timeout(_REPORT_SECONDS):
            await _knock(parts, certificate)
    except TimeoutError:
        fault = f"does not answer within {_REPORT_SECONDS} s"
    except ssl.SSLCertVerificationError as exc:
        fault = f"has a certificate that is refused: {exc.verify_message}"
    except (OSError, ValueError) as exc:
        number = exc.errno if isinstance(exc, OSError) else None
        fault = f"cannot be used: {os.strerror(number) if number and number > 0 else exc}"
    else:
        return Finding(name, "ok", found)
    return Finding(name, "advice", found, f"It {fault}. The service runs, and its {name} are lost: check {setting}.")


async def _knock(parts: SplitResult, certificate: str | None) -> None:
    """Raises ``OSError`` or ``ValueError`` when no server of HTTP is there."""
    is_https = parts.scheme == "https"
    if parts.scheme not in WEB_SCHEMES or not parts.hostname:
        raise ValueError("this is no web address")
    port = parts.port or (443 if is_https else 80)
    addresses = await Names()(parts.hostname, port)
    tls = ssl.create_default_context(cafile=certificate) if is_https else None
    name = parts.hostname if is_https else None
    reader, writer = await asyncio.open_connection(addresses[0], port, ssl=tls, server_hostname=name)
    try:
        writer.write(f"GET / HTTP/1.1\r\nHost: {parts.netloc.rpartition('@')[2]}\r\nConnection: close\r\n\r\n".encode())
        if not (await reader.read(5)).startswith(b"HTTP/"):
            raise ValueError("no server of HTTP answers there")
    finally:
        writer.close()
