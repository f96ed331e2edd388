"""The work behind the requests: the jobs and listeners of all domains, and the worker that runs them."""

from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager

from app.components import Components
from app.domain.jobs.services import Retention
from app.domain.notifications.listeners import notification_listeners
from app.domain.orders.services.housekeeping import OrderHousekeeping
from app.domain.webhooks.jobs import enqueue_delivery
from app.domain.webhooks.services.delivering import Deliverer as WebhookDeliverer
from app.domain.webhooks.services.fan_out import FanOut
from app.domain.webhooks.subscribers import webhook_subscribers
from app.lib.db.engine import Database
from app.lib.domain import Domain, collect_webhook_kinds
from app.lib.events import Events
from app.lib.jobs import Services, registry_of
from app.lib.jobs.execution import Executor
from app.lib.jobs.metrics import AttemptMetrics, JobGauges
from app.lib.jobs.worker import Worker, WorkerOptions
from app.lib.mail.delivery import Deliverer as MailDeliverer
from app.lib.outbox import Outbox
from app.lib.realtime.hub import Hub
from app.lib.realtime.service import Realtime
from app.lib.security.sealing import Sealer
from app.lib.webhooks.kinds import WebhookKinds


def outbox_of(domains: Iterable[Domain], webhook_kinds: WebhookKinds) -> Outbox:
    """All listeners that are told after the commit: those that domains declare, and webhooks."""
    declared = (each for domain in domains for each in domain.subscribers)
    return Outbox([*declared, *webhook_subscribers(webhook_kinds)])


def events_of(components: Components, domains: Iterable[Domain], outbox: Outbox) -> Events:
    """All listeners inside the transaction: those that domains declare, those that write mails, and the outbox."""
    domains = tuple(domains)
    declared = (listener for domain in domains for listener in domain.listeners)
    makers = (domain.outbox_listeners for domain in domains)
    recording = (listener for make in makers if make for listener in make(outbox))
    return Events([*declared, *notification_listeners(components.mailer), *recording])


class Background:
    """Made once per app. Raises ``ValueError`` when two jobs, or two listeners, have one name."""

    def __init__(self, components: Components, domains: Iterable[Domain]) -> None:
        domains = tuple(domains)
        settings = components.settings
        self._components = components
        self.webhook_kinds = collect_webhook_kinds(domains)
        self.outbox = outbox_of(domains, self.webhook_kinds)
        self.events = events_of(components, domains, self.outbox)
        self.registry = registry_of([*(each for domain in domains for each in domain.jobs), *self.outbox.jobs.values()])
        self.services: Services = {
            Outbox: self.outbox,
            MailDeliverer: components.deliverer,
            Sealer: components.sealer,
            Realtime: components.realtime,
            Hub: components.realtime.hub,
            FanOut: FanOut(self.webhook_kinds, enqueue_delivery),
            WebhookDeliverer: WebhookDeliverer(
                components.job_database, components.webhook_sender, components.sealer, self.events
            ),
            OrderHousekeeping: OrderHousekeeping(components.job_database, components.payment_provider, self.outbox),
            Retention: Retention(
                finished_days=settings.jobs_retention_days,
                dead_days=settings.jobs_dead_retention_days,
                event_days=settings.events_retention_days,
            ),
        }
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
