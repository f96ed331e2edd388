"""The base class of every table: key, times, version, naming convention and column types."""

from datetime import datetime
from typing import Any
from uuid import UUID

from advanced_alchemy.base import CommonTableAttributes
from advanced_alchemy.types import DateTimeUTC
from asyncpg.pgproto.pgproto import UUID as DriverUUID  # noqa: N811 - one of two classes of this name
from sqlalchemy import Dialect, Integer, MetaData, String, Table, TypeDecorator, Uuid
from sqlalchemy.ext.asyncio import AsyncAttrs
from sqlalchemy.orm import DeclarativeBase, Mapped, declared_attr, mapped_column, registry
from uuid_utils import uuid7

from app.lib.clock import utc_now

NAMING_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

metadata = MetaData(naming_convention=NAMING_CONVENTION)
"""All tables of the service; the migrations are checked against it."""


def new_id() -> UUID:
    """A UUIDv7 (RFC 9562 section 5.7): sorts by the time it was made. Of asyncpg's class, like those that it reads,
    because that is made and sent in a third of the time.
    """
    return DriverUUID(uuid7().bytes)


def sortable_text(length: int) -> String:
    """Text compared byte by byte on both databases, so that a keyset walks the same way on each."""
    return String(length).with_variant(String(length, collation="C"), "postgresql")


class SplitText(TypeDecorator[list[str]]):
    """The result of ``aggregate_strings(…, ',')`` as a sorted list of words, each once; empty for NULL.

    SQLite joins with a separator of its own choice only where there is no DISTINCT, so doubles go here.
    """

    impl = String
    cache_ok = True

    def process_result_value(self, value: Any, dialect: Dialect) -> list[str]:
        """Splits what the database joined."""
        return sorted(set(value.split(","))) if value else []


class SplitSet(TypeDecorator[frozenset[str]]):
    """The result of ``aggregate_strings(…, ',')`` as a set of words; empty for NULL."""

    impl = String
    cache_ok = True

    def process_result_value(self, value: Any, dialect: Dialect) -> frozenset[str]:
        """Splits what the database joined."""
        return frozenset(value.split(",")) if value else frozenset()


class Base(CommonTableAttributes, DeclarativeBase, AsyncAttrs):
    """Tables without the common columns: link tables and logs."""

    __abstract__ = True
    registry = registry(
        metadata=metadata,
        type_annotation_map={UUID: Uuid(), datetime: DateTimeUTC(timezone=True)},
    )


def _same_as_created(context: Any) -> datetime:
    created: datetime = context.get_current_parameters()["created_at"]
    return created


def table_of(model: type[Base]) -> Table:
    """The Core table of a model, for statements that have nothing to do with objects."""
    table = model.__table__
    if not isinstance(table, Table):
        raise TypeError(f"{model.__name__} is not mapped to a table")
    return table


class Entity(Base):
    """A row that is a resource: UUIDv7 ``id``, UTC ``created_at`` and ``updated_at``, and an integer ``version``.

    ``version`` counts the changes, is the resource's ETag, and guards against lost updates: a flush of a row that
    another transaction changed in the meantime raises ``StaleDataError``.
    """

    __abstract__ = True

    id: Mapped[UUID] = mapped_column(default=new_id, primary_key=True, sort_order=-100)
    created_at: Mapped[datetime] = mapped_column(default=utc_now, sort_order=100)
    updated_at: Mapped[datetime] = mapped_column(default=_same_as_created, onupdate=utc_now, sort_order=101)
    version: Mapped[int] = mapped_column(Integer, default=1, sort_order=102)

    @declared_attr.directive
    def __mapper_args__(cls) -> dict[str, Any]:  # noqa: N805 - declared_attr calls it with the class
        return {"version_id_col": cls.version}
