"""The long-lived objects of a process, made from the settings."""

import asyncio
import hmac
from collections.abc import Awaitable, Callable
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

from app.config import Settings
from app.domain.accounts.services.passwords import Passwords
from app.domain.auth.authenticator import SessionAuthenticator
from app.domain.auth.repositories import SessionReads
from app.domain.auth.services.tokens import Lifetimes, TokenIssuer
from app.domain.notifications import MAIL_TEMPLATES
from app.domain.notifications.repositories import PreferenceReads
from app.domain.notifications.services.links import UnsubscribeLinks
from app.domain.notifications.services.preferences import PersonSubscriptions
from app.domain.orders.services.provider import NoProvider, PaymentProvider
from app.domain.orders.services.sandbox import SandboxProvider
from app.domain.realtime.services.tickets import TicketDesk
from app.lib.db.engine import Database, DatabaseOptions
from app.lib.mail.delivery import Composer, Deliverer
from app.lib.mail.mailer import Mailer
from app.lib.mail.repository import MailReads
from app.lib.mail.templates import MailTemplates
from app.lib.mail.transports import Transport
from app.lib.mail.transports.console import ConsoleTransport
from app.lib.mail.transports.file import FileTransport
from app.lib.mail.transports.smtp import SMTPOptions, SMTPTransport
from app.lib.observability.metrics import Gauges, Metrics
from app.lib.pagination.cursor import CursorCodec
from app.lib.ratelimit.limiter import RateLimiter
from app.lib.ratelimit.memory import MemoryCounters
from app.lib.ratelimit.policy import Limit
from app.lib.ratelimit.redis import RedisCounters
from app.lib.ratelimit.routes import RouteLimits
from app.lib.ratelimit.table import EngineCounterTable, TableCounters
from app.lib.ratelimit.throttle import Throttle
from app.lib.realtime.metrics import RealtimeMetrics
from app.lib.security.password_policy import PasswordPolicy
from app.lib.security.passwords import PasswordHasher
from app.lib.security.sealing import Sealer
from app.lib.security.tokens import TokenSigner
from app.lib.settings import ConfigurationError
from app.lib.webhooks.sender import WebhookSender
from app.models import rate_limits
from app.realtime import Channels

PRODUCT = "Lodestar"
AUDIENCE = "lodestar"

_PER_ACCOUNT_AND_ADDRESS = "10 per 15 minutes"
_PER_ACCOUNT = "50 per hour"
_REGISTRATIONS_PER_ACCOUNT_AND_ADDRESS = "30 per 15 minutes"
_REGISTRATIONS_PER_ACCOUNT = "60 per hour"
_WEBHOOKS_BY_HAND = "30 per minute"


class Components:
    """Made once per process; :meth:`start` and :meth:`close` belong to the app's lifespan."""

    def __init__(self, settings: Settings, draining: Callable[[], Awaitable[None]] | None = None) -> None:
        """``draining`` returns when the process is about to end; for processes that have sockets."""
        self.settings = settings
        options = DatabaseOptions(
            url=settings.database,
            pool_size=settings.database_pool_size,
            echo=settings.database_echo,
            pooler=settings.database_pooler,
        )
        self.database = Database(options)
        # A rush of requests and a rush of jobs do not wait for each other.
        self.job_database = self.database.with_own_pool(max(2, settings.database_pool_size // 2))
        self.cursors = CursorCodec(*self._keys("cursors"))
        self.passwords = Passwords(
            PasswordHasher(), PasswordPolicy(settings.password_min_length, words=[PRODUCT.lower()])
        )
        self.token_issuer = TokenIssuer(
            _signer(settings),
            Lifetimes(
                access=timedelta(minutes=settings.access_token_expire_minutes),
                idle=timedelta(days=settings.refresh_token_expire_days),
                absolute=timedelta(days=settings.session_expire_days),
            ),
        )
        self.authenticator = SessionAuthenticator(
            self.token_issuer.signer, SessionReads(self.database.reader), settings.auth_cache_seconds
        )
        self._redis = RedisCounters(settings.redis_url.reveal()) if settings.redis_url else None
        self.general_limiter = self._limiter(shared=False)
        self.sign_in_limiter = self._limiter(shared=True)
        # Refreshes come by themselves, from everybody behind an address: they must not use up its attempts to sign in.
        auth = Limit.parse(settings.rate_limit_auth)
        self.route_limits = RouteLimits(
            self.sign_in_limiter, {"auth": auth, "refresh": auth, "webhooks": Limit.parse(_WEBHOOKS_BY_HAND)}
        )
        self.sign_in_throttle = Throttle(
            self.sign_in_limiter,
            "sign_in",
            per_account=Limit.parse(_PER_ACCOUNT),
            per_account_and_address=Limit.parse(_PER_ACCOUNT_AND_ADDRESS),
        )
        self.registration_throttle = Throttle(
            self.sign_in_limiter,
            "register",
            per_account=Limit.parse(_REGISTRATIONS_PER_ACCOUNT),
            per_account_and_address=Limit.parse(_REGISTRATIONS_PER_ACCOUNT_AND_ADDRESS),
        )
        self.sealer = Sealer(*self._keys("sealing"))
        self.webhook_sender = WebhookSender(
            user_agent=f"{PRODUCT}-Webhooks", allow_private=settings.webhooks_allow_private
        )
        self.payment_provider = self._make_payment_provider()
        self.channels = Channels(settings, self.database, self.authenticator, self.cursors, draining or _never)
        self.realtime = self.channels.realtime
        self.ticket_desk = TicketDesk(self.database, self.authenticator)
        self.metrics = self._metrics()
        self._make_mail()

    @property
    def redis_check(self) -> Callable[[], Awaitable[bool]] | None:
        """Asks Redis, where there is one."""
        return self._redis.check if self._redis is not None else None

    def derived_key(self, purpose: str) -> bytes:
        """A key of its own for each purpose, so that no tag made for one is good for another."""
        return derive(self.settings.signing_secret, purpose)

    async def start(self) -> None:
        for database in {self.database, self.job_database}:
            await database.start()

    async def close(self) -> None:
        """Closes every connection, whatever fails on the way."""
        self.webhook_sender.close()
        try:
            await self.mail_transport.close()
            if self._redis is not None:
                await self._redis.close()
        finally:
            for database in {self.database, self.job_database}:
                await database.close()

    def _limiter(self, *, shared: bool) -> RateLimiter:
        """Redis where there is one; else memory, or a table for what several workers must count together."""
        storage: MemoryCounters | RedisCounters | TableCounters = MemoryCounters()
        if self._redis is not None:
            storage = self._redis
        elif shared and (not self.settings.database.is_sqlite or self.settings.workers > 1):
            storage = TableCounters(EngineCounterTable(self.database.engine, rate_limits))
        return RateLimiter(storage, enabled=self.settings.rate_limit_enabled)

    def _make_payment_provider(self) -> PaymentProvider:
        """A further provider is one more value of ``PAYMENT_PROVIDER``, and one more line here."""
        if self.settings.effective_payment_provider == "test":
            return SandboxProvider(self.database)
        return NoProvider()

    def _make_mail(self) -> None:
        settings = self.settings
        sender = settings.mail_sender
        shared = {"product": settings.product_name, "color": settings.mail_color, "base_url": settings.base_url}
        self.mail_templates = MailTemplates([MAIL_TEMPLATES], shared)
        self.mail_transport = _transport(settings)
        self.unsubscribe_links = UnsubscribeLinks(settings.base_url, *self._keys("unsubscribe"))
        subscriptions = PersonSubscriptions(PreferenceReads(self.database.reader), self.unsubscribe_links)
        self.mail_composer = Composer(self.mail_templates, self.sealer, subscriptions, sender)
        self.mail_reads = MailReads(self.database.reader)
        self.mailer = Mailer(self.sealer, sender.domain)
        self.deliverer = Deliverer(
            database=self.job_database,
            composer=self.mail_composer,
            subscriptions=subscriptions,
            transport=self.mail_transport,
            keep_secrets=settings.shows_mailbox,
        )

    def _keys(self, purpose: str) -> tuple[bytes, list[bytes]]:
        """The key of today, and those of the fallback secrets."""
        return self.derived_key(purpose), [derive(each, purpose) for each in self.settings.fallback_secrets]

    def _metrics(self) -> Metrics:
        metrics = Metrics()
        pool = self.database.engine.pool
        checked_out: Callable[[], int] = getattr(pool, "checkedout", lambda: 0)
        metrics.add(
            Gauges(
                ("database_write_connections_busy", "Connections that write at the moment.", checked_out),
                ("database_read_connections_busy", "Connections that read at the moment.", self.database.busy_readers),
            )
        )
        metrics.add(RealtimeMetrics(self.realtime))
        return metrics


async def _never() -> None:
    await asyncio.get_running_loop().create_future()


def derive(secret: str, purpose: str) -> bytes:
    """HMAC-SHA256 of a purpose under the secret: 32 bytes."""
    return hmac.digest(secret.encode(), purpose.encode(), sha256)


def _signer(settings: Settings) -> TokenSigner:
    try:
        return TokenSigner(
            secret=settings.signing_secret,
            fallbacks=settings.fallback_secrets,
            private_key_pem=settings.jwt_private_key.reveal() if settings.jwt_private_key else None,
            issuer=settings.base_url,
            audience=AUDIENCE,
        )
    except ValueError as exc:
        name = "JWT_PRIVATE_KEY" if settings.jwt_private_key else "SECRET_KEY"
        raise ConfigurationError(f"{name}: {exc}") from exc


def _transport(settings: Settings) -> Transport:
    if settings.mail_backend == "smtp" and settings.smtp_host:
        return SMTPTransport(
            SMTPOptions(
                host=settings.smtp_host,
                port=settings.effective_smtp_port,
                security=settings.smtp_security,
                user=settings.smtp_user,
                password=settings.smtp_password,
                ca_file=Path(settings.smtp_ca_file) if settings.smtp_ca_file else None,
                hello_name=settings.mail_sender.domain,
                connections=settings.smtp_connections,
            )
        )
    if settings.mail_backend == "file":
        return FileTransport(Path(settings.mail_directory))
    return ConsoleTransport(shows_text=not settings.is_production)
