"""The work behind the requests: the jobs and listeners of all domains, and the worker that runs them."""

from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from typing import Any

from app.components import Components
from app.config import Settings
from app.domain.auth.authenticator import SessionAuthenticator
from app.domain.jobs.services import Retention
from app.domain.orders.services.housekeeping import OrderHousekeeping
from app.domain.webhooks.jobs import enqueue_delivery
from app.domain.webhooks.listeners import webhook_listeners
from app.domain.webhooks.services.delivering import Deliverer as WebhookDeliverer
from app.domain.webhooks.services.fan_out import FanOut
from app.lib.db.engine import Database
from app.lib.domain import Domain, collect_webhook_kinds
from app.lib.events import Events
from app.lib.events.fanout import Fanout, MemoryFanout, PostgreSQLFanout, RedisFanout, SilentFanout
from app.lib.jobs import Services, registry_of
from app.lib.jobs.execution import Executor
from app.lib.jobs.metrics import AttemptMetrics, JobGauges
from app.lib.jobs.worker import Worker, WorkerOptions
from app.lib.mail.delivery import Deliverer as MailDeliverer
from app.lib.mail.mailer import Mailer
from app.lib.realtime.hub import Hub
from app.lib.realtime.service import Realtime
from app.lib.security.sealing import Sealer


def fanout_of(settings: Settings) -> Fanout:
    """Redis where there is one, else PostgreSQL's own notifications, else memory for the one process that there is."""
    if settings.redis_url is not None:
        return RedisFanout(settings.redis_url.reveal())
    if settings.database.is_sqlite:
        return MemoryFanout() if settings.workers == 1 else SilentFanout()
    if settings.database_pooler and settings.database_direct_url is None:
        return SilentFanout()  # LISTEN does not work through a pooler
    return PostgreSQLFanout(settings.migration_database)


def events_of(components: Components, domains: Iterable[Domain], services: dict[type[Any], Any]) -> Events:
    """All listeners: those that domains declare, and webhooks. Adds to the services what listeners ask for."""
    domains = tuple(domains)
    declared = (listener for domain in domains for listener in domain.listeners)
    webhooks = webhook_listeners(collect_webhook_kinds(domains))
    events = Events([*declared, *webhooks], services, fanout_of(components.settings))
    services |= {
        Events: events,
        Mailer: components.mailer,
        SessionAuthenticator: components.authenticator,
        Realtime: components.realtime,
        Hub: components.realtime.hub,
    }
    return events


class Background:
    """Made once per app. Raises ``ValueError`` when two jobs, or two listeners, have one name."""

    def __init__(self, components: Components, domains: Iterable[Domain]) -> None:
        domains = tuple(domains)
        settings = components.settings
        self._components = components
        self.webhook_kinds = collect_webhook_kinds(domains)
        services: dict[type[Any], Any] = {}
        self.events = events_of(components, domains, services)
        self.registry = registry_of([*(each for domain in domains for each in domain.jobs), *self.events.jobs.values()])
        services |= {
            MailDeliverer: components.deliverer,
            Sealer: components.sealer,
            FanOut: FanOut(self.webhook_kinds, enqueue_delivery),
            WebhookDeliverer: WebhookDeliverer(
                components.job_database, components.webhook_sender, components.sealer, self.events
            ),
            OrderHousekeeping: OrderHousekeeping(components.job_database, components.payment_provider, self.events),
            Retention: Retention(
                finished_days=settings.jobs_retention_days,
                dead_days=settings.jobs_dead_retention_days,
                event_days=settings.events_retention_days,
            ),
        }
        self.services: Services = services
        gauges = JobGauges(components.database.reader)
        components.metrics.add(gauges, refresh=gauges.refresh)
        self._attempts = AttemptMetrics(components.metrics.registry)

    @asynccontextmanager
    async def working(self, concurrency: int | None = None) -> AsyncGenerator[Worker]:
        """A worker in this process, for as long as the context lasts. Its concurrency is ``JOBS_CONCURRENCY``.

        On PostgreSQL it has a connection of its own: its signs of life must not wait for those that the jobs keep
        busy. SQLite has one writer for all.
        """
        database = self._components.job_database
        queue = database.with_own_pool(1)
        if queue is not database:
            await queue.start()
        worker = self.worker(queue, concurrency)
        try:
            await worker.start()
            try:
                yield worker
            finally:
                await worker.stop()
        finally:
            if queue is not database:
                await queue.close()

    def worker(self, database: Database, concurrency: int | None = None) -> Worker:
        """A worker that minds the queue by ``database``; the caller starts and stops it."""
        executor = Executor(self.registry, self._components.job_database, self.services, self._attempts.observe)
        options = WorkerOptions(concurrency=concurrency or self._components.settings.jobs_concurrency)
        return Worker(database, executor, options)
