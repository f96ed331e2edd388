"""What a job has at hand, without a request."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar
from uuid import UUID

import msgspec

from app.lib.db.engine import Database
from app.lib.db.reader import Reader
from app.lib.db.uow import UnitOfWork

T = TypeVar("T")

Services = Mapping[type[Any], Any]
"""Long-lived objects by their type, as the app wires them for its jobs."""


class JobContext(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt of one job. ``attempt`` counts from 1; ``request_id`` is that of the request it all began with."""

    job_id: UUID
    name: str
    attempt: int
    is_last_attempt: bool
    request_id: str | None
    database: Database
    services: Services

    def unit(self) -> AbstractAsyncContextManager[UnitOfWork]:
        """A transaction, committed at the end of the block or not at all. One at a time: SQLite has one writer."""
        return self.database.independent()

    @property
    def reader(self) -> Reader:
        """For reads, without a transaction."""
        return self.database.reader

    def service(self, kind: type[T]) -> T:
        """The wired object of this type. Raises ``LookupError`` when the app has not wired one."""
        try:
            found: T = self.services[kind]
        except KeyError:
            raise LookupError(f"no {kind.__name__} is wired for jobs") from None
        return found
