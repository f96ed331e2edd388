"""What every process has: settings, database, keys, counters, events, queue, mail and metrics; and the domains on it.

The server, the job worker and the command line all make one :class:`Core`, so nothing is wired twice.
"""

from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

from app.config import Settings
from app.environment import secrets_in
from app.lib.db.base import metadata
from app.lib.db.engine import Database
from app.lib.db.gauges import DatabaseGauges
from app.lib.db.migrations import Migrations
from app.lib.domain import Domain, collect_permissions
from app.lib.events import Events
from app.lib.events.fanout import choose_fanout
from app.lib.jobs import registry_of
from app.lib.jobs.execution import Executor
from app.lib.jobs.metrics import AttemptMetrics, job_gauges
from app.lib.jobs.worker import Worker, WorkerOptions
from app.lib.mail.delivery import Composer, Deliverer, Subscriptions
from app.lib.mail.jobs import JOBS as MAIL_JOBS
from app.lib.mail.mailer import Mailer
from app.lib.mail.repository import MAIL_GAUGE
from app.lib.mail.smtp import SMTPTransport
from app.lib.mail.templates import MailTemplates
from app.lib.mail.transports import ConsoleTransport, FileTransport, NoTransport, Transport
from app.lib.observability.masking import hide
from app.lib.observability.metrics import Metrics
from app.lib.pagination.cursor import CursorCodec
from app.lib.ratelimit.counters import Counters, MemoryCounters, SharedCounters, TableCounters, rate_limit_table
from app.lib.ratelimit.limiter import Limit, RateLimiter
from app.lib.ratelimit.routes import RouteLimits
from app.lib.security.keys import Keys
from app.lib.security.sealing import Sealer
from app.lib.services import Services
from app.lib.serving.draining import Draining

API = "/api/v1"
VERSION = version("lodestar")  # looked up once, because it reads files
MIGRATIONS = Path(__file__).parent.parent / "migrations"

rate_limits = rate_limit_table(metadata)

Lifespan = Callable[[], AbstractAsyncContextManager[None]]


class Core:
    """Made once per process. A domain's ``build`` adds its long-lived objects to ``services``.

    Raises ``ConfigurationError`` for settings that cannot be used, and ``ValueError`` for two jobs, listeners,
    permissions or error codes of one name.
    """

    def __init__(self, settings: Settings, domains: Iterable[Domain]) -> None:
        hide(secrets_in(settings))
        self.settings = settings
        self.domains = tuple(domains)
        self.services = Services()
        self.handlers: list[Any] = []
        """Route handlers that depend on the settings, outside ``/api/v1``."""
        self.limits: dict[str, Limit] = {}
        """Rate limits of routes by name, for each client address."""
        self.lifespans: list[Lifespan] = []
        """Entered once the database is ready, left before it is closed."""
        self.working_lifespans: list[Lifespan] = []
        """The same where jobs run."""
        self.keys = Keys(settings.signing_secret, settings.fallback_secrets)
        self.draining = Draining()
        self.metrics = Metrics()
        self.database = Database(settings.database_options)
        # A rush of requests and a rush of jobs do not wait for each other.
        self.job_database = self.database.with_own_pool(settings.pool_sizes.jobs, "jobs")
        redis_url = settings.redis_url.reveal() if settings.redis_url else None
        counters = "app.lib.ratelimit.redis:RedisCounters"  # loads the client library, which others do without
        self.redis: SharedCounters | None = resolve_name(counters)(redis_url) if redis_url else None
        self.general_limiter = self._limiter(shared=False)
        self.limiter = self._limiter(shared=True)
        listens_at = settings.migration_database if settings.can_listen else None
        fanout = choose_fanout(redis_url, listens_at, alone=settings.database.is_sqlite and settings.workers == 1)
        self.events = Events(services=self.services, fanout=fanout)
        self.cursors = CursorCodec(*self.keys.derive_all("cursors"))
        self.sealer = Sealer(*self.keys.derive_all("sealing"))
        self.mailer = Mailer(self.sealer, settings.mail_sender.domain)
        self.mail_transport: Transport = NoTransport() if settings.is_production else ConsoleTransport()
        if settings.mail_backend == "file":
            self.mail_transport = FileTransport(Path(settings.mail_directory))
        elif settings.smtp is not None:
            self.mail_transport = SMTPTransport(settings.smtp)
        self.services.add(collect_permissions(self.domains))
        self.services.add_all(
            self.database, self.database.reader, self.events, self.cursors, self.sealer, self.mailer, self.settings
        )
        self.services.add_all(self.metrics, self.limiter, self.draining, self.services)
        for domain in self.domains:
            self.events.listen(*domain.listeners)
            if domain.settings is not None:
                self.services.add(settings.section(domain.settings))
            if domain.build is not None:
                domain.build(self)
        self._add_mail()
        self.route_limits = RouteLimits(self.limiter, self.limits)
        self.jobs = registry_of([*MAIL_JOBS, *self.declared("jobs"), *self.events.jobs.values()])
        self._attempts = AttemptMetrics(self.metrics)
        gauges = DatabaseGauges(self.database.reader, [*job_gauges(self.jobs), MAIL_GAUGE, *self.declared("gauges")])
        self.metrics.share(gauges, gauges.refresh)

    @property
    def migrations(self) -> Migrations:
        """Of the database that migrations use: the direct one, where there is a pooler."""
        return Migrations(self.settings.migration_database, MIGRATIONS)

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """The process at work: connections, hints from other processes, and what the domains have running.

        Needs neither the database nor Redis yet. Closes every connection, also when something fails on the way.
        """
        async with AsyncExitStack() as stack:
            for database in {self.database, self.job_database}:
                stack.push_async_callback(database.close)
                await database.start()
            if self.redis is not None:
                stack.push_async_callback(self.redis.close)
            stack.push_async_callback(self.events.close)
            await self.events.start()
            for lifespan in self.lifespans:
                await stack.enter_async_context(lifespan())
            yield

    @asynccontextmanager
    async def working(self, concurrency: int | None = None) -> AsyncGenerator[Worker]:
        """A job worker in this process. On PostgreSQL it has a connection of its own: its signs of life must not wait
        for those that the jobs keep busy.
        """
        async with AsyncExitStack() as stack:
            database = self.job_database.with_own_pool(1, "queue")
            if database is not self.job_database:
                stack.push_async_callback(database.close)
                await database.start()
            worker = self.worker(database, concurrency)
            stack.push_async_callback(worker.stop)
            await worker.start()
            for lifespan in self.working_lifespans:
                await stack.enter_async_context(lifespan())
            yield worker

    def worker(self, database: Database, concurrency: int | None = None) -> Worker:
        """A worker whose queue is reached through ``database``; the caller starts and stops it."""
        executor = Executor(self.jobs, self.job_database, self.services, self._attempts.observe)
        return Worker(database, executor, WorkerOptions(concurrency=concurrency or self.settings.jobs_concurrency))

    def declared(self, what: str) -> Iterable[Any]:
        """What the domains declare in a field of theirs, one after the other."""
        return (each for domain in self.domains for each in getattr(domain, what))

    def _limiter(self, *, shared: bool) -> RateLimiter:
        """Redis where there is one; else memory, or a table for what workers count together and a restart must keep."""
        storage: Counters = self.redis or MemoryCounters()
        if shared and self.redis is None:
            storage = TableCounters(self.database.engine, rate_limits)
        return RateLimiter(storage, enabled=self.settings.rate_limit_enabled)

    def _add_mail(self) -> None:
        settings = self.settings
        shared = {"product": settings.product_name, "color": settings.mail_color, "base_url": settings.base_url}
        templates = MailTemplates(self.declared("mail_templates"), shared)
        subscriptions = self.services.find(Subscriptions)
        composer = Composer(templates, self.sealer, subscriptions, settings.mail_sender)
        deliverer = Deliverer(
            database=self.job_database,
            composer=composer,
            subscriptions=subscriptions,
            transport=self.mail_transport,
            keep_secrets=settings.shows_mailbox,
        )
        self.services.add_all(templates, composer, deliverer)
