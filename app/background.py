"""The work behind the requests: the jobs and listeners of all domains, and the worker that runs them."""

from collections.abc import Iterable

from app.components import Components
from app.domain.jobs.services import Retention
from app.lib.domain import Domain
from app.lib.jobs import Services, registry_of
from app.lib.jobs.execution import Executor
from app.lib.jobs.metrics import AttemptMetrics, JobGauges
from app.lib.jobs.worker import Worker, WorkerOptions
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
            Retention: Retention(
                finished_days=settings.jobs_retention_days,
                dead_days=settings.jobs_dead_retention_days,
                event_days=settings.events_retention_days,
            ),
        }
        gauges = JobGauges(components.database.reader)
        components.metrics.add(gauges, refresh=gauges.refresh)
        self._attempts = AttemptMetrics(components.metrics.registry)

    def worker(self, concurrency: int | None = None) -> Worker:
        """A worker for this process; the caller starts and stops it. Its concurrency is ``JOBS_CONCURRENCY``."""
        executor = Executor(self.registry, self._components.database, self.services, self._attempts.observe)
        options = WorkerOptions(concurrency=concurrency or self._components.settings.jobs_concurrency)
        return Worker(self._components.database, executor, options)
