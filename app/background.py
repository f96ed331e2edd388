"""The work behind the requests: the jobs and listeners of all domains, and the worker that runs them."""

from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager

from msgspec import structs

from app.components import Components
from app.domain.jobs.services import Retention
from app.lib.db.engine import Database
from app.lib.domain import Domain
from app.lib.jobs import Services, registry_of
from app.lib.jobs.execution import Executor
from app.lib.jobs.metrics import AttemptMetrics, JobGauges
from app.lib.jobs.worker import Worker, WorkerOptions
from app.lib.mail.delivery import Deliverer
from app.lib.outbox import Outbox


class Background:
    """Made once per app. Raises ``ValueError`` when two jobs, or two listeners, have one name."""

    def __init__(self, components: Components, domains: Iterable[Domain]) -> None:
        domains = tuple(domains)
        settings = components.settings
        self._components = components
        self.outbox = Outbox(each for domain in domains for each in domain.subscribers)
        self.registry = registry_of([*(each for domain in domains for each in domain.jobs), *self.outbox.jobs.values()])
        self.services: Services = {
            Outbox: self.outbox,
            Deliverer: components.deliverer,
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

        On PostgreSQL it has connections of its own: its signs of life must not wait for those that requests and the
        jobs themselves keep busy. SQLite has one writer for all.
        """
        database = self._components.database
        queue = database
        if not database.url.is_sqlite:
            queue = Database(structs.replace(database.options, pool_size=1), database.signals)
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
        executor = Executor(self.registry, self._components.database, self.services, self._attempts.observe)
        options = WorkerOptions(concurrency=concurrency or self._components.settings.jobs_concurrency)
        return Worker(database, executor, options)
