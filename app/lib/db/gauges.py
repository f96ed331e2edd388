"""Gauges of the database: how busy its connections are, and what statements count in it."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from shutil import disk_usage
from typing import Any

import msgspec
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import ColumnElement, func, literal_column, select, union_all

from app.lib.db.engine import Database
from app.lib.db.faults import DATABASE_ERRORS
from app.lib.db.prepared import Prepared, prepare
from app.lib.db.reader import Reader
from app.lib.db.url import DatabaseURL

MAX_COUNTED = 10_000
"""A count stops here: that is trouble enough, and a scrape has to be quick however much there is."""
_PATIENCE_SECONDS = 1.0
_AWAY: tuple[type[Exception], ...] = (*DATABASE_ERRORS, TimeoutError)


class Reading(msgspec.Struct, frozen=True):
    """A row of a gauge's statement."""

    label: str
    value: float


class DatabaseGauge(msgspec.Struct, frozen=True):
    """What a statement counts in the database, by one label of few values. The statement uses an index and stops
    by itself. ``known`` are labels that are 0 where it has no row.
    """

    name: str
    text: str
    label: str
    statement: Prepared[Reading]
    known: tuple[str, ...] = ()


def count_up_to(key: Any, *conditions: ColumnElement[bool], of: Any = None) -> ColumnElement[int]:
    """The number of rows for which the conditions hold, or :data:`MAX_COUNTED`. ``key`` is the column that an index has
    after those of the conditions. ``of`` is the table that the conditions compare them with.
    """
    # In order, because PostgreSQL would rather read through the table when there are many.
    counted = select(key).where(*conditions).order_by(key).limit(MAX_COUNTED)
    counted = counted if of is None else counted.correlate(of)
    return select(func.count()).select_from(counted.subquery()).scalar_subquery()


def count_by_status(status: Any, keys: Mapping[str, Any]) -> Prepared[Reading]:
    """How many rows have each status; ``keys`` are those of :func:`count_up_to`."""
    # As literals: else neither database would know that a partial index serves.
    literals: list[tuple[ColumnElement[str], Any]] = [(literal_column(f"'{value}'"), keys[value]) for value in keys]
    counts = [select(each.label("label"), count_up_to(key, status == each).label("value")) for each, key in literals]
    rows = union_all(*counts).subquery()
    return prepare(select(rows.c.label, rows.c.value), Reading)


class DatabaseGauges(Collector):
    """What is in the database. There are no samples while it is away or slow: no reason for a scrape to fail."""

    def __init__(self, reader: Reader, gauges: Sequence[DatabaseGauge]) -> None:
        self._reader = reader
        self._gauges = gauges
        self._read: dict[str, dict[str, float]] = {}

    async def refresh(self) -> None:
        """Reads what :meth:`collect` returns. Does not fail."""
        self._read = {}
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                for each in self._gauges:
                    rows = await self._reader.all(each.statement)
                    self._read[each.name] = dict.fromkeys(each.known, 0.0) | {row.label: row.value for row in rows}
        except _AWAY:
            return

    def collect(self) -> Iterable[Metric]:
        """A gauge each."""
        for each in self._gauges:
            family = GaugeMetricFamily(each.name, each.text, labels=[each.label])
            for label, value in self._read.get(each.name, {}).items():
                family.add_metric([label], max(value, 0.0))
            yield family


class PoolGauges(Collector):
    """The connections of this process."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def collect(self) -> Iterable[Metric]:
        """By what they are for, and whether they read or write."""
        labels = ["pool", "access"]
        size = GaugeMetricFamily("database_pool_size", "Connections that a pool may open.", labels=labels)
        in_use = GaugeMetricFamily("database_pool_in_use", "Connections that work at the moment.", labels=labels)
        waiting = GaugeMetricFamily("database_pool_waiters", "Those who wait for a connection.", labels=labels)
        for pool, database in self._database.pools.items():
            for access, usage in database.usage().items():
                for family, value in zip((size, in_use, waiting), msgspec.structs.astuple(usage), strict=True):
                    family.add_metric([pool, access], value)
        return size, in_use, waiting


class FileGauges(Collector):
    """How large an SQLite file is, and how much room it has; nothing for PostgreSQL."""

    def __init__(self, url: DatabaseURL) -> None:
        self._path = url.path if url.is_sqlite else None
        self._bytes: tuple[int, int] | None = None

    async def refresh(self) -> None:
        """Reads what :meth:`collect` returns. Does not fail."""
        self._bytes = await asyncio.to_thread(_bytes_of, self._path) if self._path else None

    def collect(self) -> Iterable[Metric]:
        """Two gauges."""
        size = GaugeMetricFamily("database_file_bytes", "SQLite: size of the file and its log.")
        free = GaugeMetricFamily("database_disk_free_bytes", "SQLite: free space where the file is.")
        for family, value in zip((size, free), self._bytes or (), strict=False):
            family.add_metric([], value)
        return size, free


def _bytes_of(path: Path) -> tuple[int, int] | None:
    try:
        files = [path, path.with_name(f"{path.name}-wal")]
        return sum(each.stat().st_size for each in files if each.is_file()), disk_usage(path.parent).free
    except OSError:
        return None
