"""A table with everything that makes paging hard: ties, NULLs, Unicode, wildcards and a secret column."""

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from advanced_alchemy.types import DateTimeUTC
from sqlalchemy import Boolean, Column, Index, Integer, MetaData, Table, Uuid, exists, func, literal_column, select
from sqlalchemy.ext.asyncio import AsyncEngine

from app.lib.db.base import sortable_text
from app.lib.db.reader import Reader
from app.lib.pagination.cursor import CursorCodec
from app.lib.pagination.envelope import Page
from app.lib.pagination.filters import at_least, at_most, between, contains, custom, equals
from app.lib.pagination.query import ListQuery
from app.lib.pagination.sorting import SortKey

TOYS = Table(
    "toys",
    MetaData(),
    Column("id", Uuid(), primary_key=True),
    Column("created_at", DateTimeUTC(timezone=True), nullable=False),
    Column("title", sortable_text(100), nullable=False),
    Column("nick", sortable_text(100)),
    Column("stock", Integer, nullable=False),
    Column("is_active", Boolean, nullable=False),
    Column("search", sortable_text(200), nullable=False),
)
Index("ix_created", TOYS.c.created_at, TOYS.c.id)
NICK = func.coalesce(TOYS.c.nick, literal_column("''"))
Index("ix_nick", NICK, TOYS.c.id)

START = datetime(2026, 1, 1, tzinfo=UTC)
TITLES = (
    "apple",
    "Apple",
    "äpfel",
    "Zebra",
    "zebra",
    "éclair",
    "日本",
    "😀 toy",
    "",
    "100% wool",
    "a_b",
    "a/b",
    "'; --",
)
NICKS = (None, None, "", "bob", "Bob", "Ärger", "z" * 100)


class ToyRead(msgspec.Struct, frozen=True):
    """Shows neither ``nick`` nor what it is sorted by."""

    id: UUID
    created_at: datetime
    name: str
    stock: int
    is_active: bool


class ToyPage(Page[ToyRead], frozen=True):
    """A page of toys."""


CODEC = CursorCodec(b"a secret of the tests, long enough")


def toy_list(resource: str = "toys") -> ListQuery[ToyPage]:
    toys = TOYS.c
    twins = TOYS.alias("twins")
    return ListQuery(
        resource,
        ToyPage,
        select(toys.id, toys.created_at, toys.title.label("name"), toys.stock, toys.is_active),
        identity=toys.id,
        sorts=[
            SortKey("created_at", toys.created_at),
            SortKey("title", toys.title),
            SortKey("nick", NICK),
            SortKey("stock", toys.stock),
            SortKey("is_active", toys.is_active),
            SortKey("id", toys.id),
        ],
        default_sort="-created_at",
        filters=[
            equals("title", toys.title),
            equals("is_active", toys.is_active),
            *between("created", toys.created_at),
            at_least("min_stock", toys.stock),
            at_most("max_stock", toys.stock),
            contains("q", toys.search),
            custom(
                "twin_of",
                Uuid(),
                lambda ids: exists().where(twins.c.title == toys.title, twins.c.id.in_(ids)),
                repeatable=True,
            ),
        ],
    )


@dataclass
class ToyStore:
    """A database with toys in it; ``statements`` is what its reader has run."""

    engine: AsyncEngine
    reader: Reader
    rows: list[dict[str, Any]]
    query: ListQuery[ToyPage] = field(default_factory=toy_list)
    statements: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.reader.observers.append(self.statements.append)

    async def insert(self, rows: list[dict[str, Any]]) -> None:
        async with self.engine.begin() as connection:
            await connection.execute(TOYS.insert(), rows)

    async def delete(self, ids: list[UUID]) -> None:
        async with self.engine.begin() as connection:
            await connection.execute(TOYS.delete().where(TOYS.c.id.in_(ids)))


def make_rows(count: int, seed: int) -> list[dict[str, Any]]:
    """The same rows for the same seed; about ten share an instant, and hundreds a title."""
    dice = random.Random(seed)  # noqa: S311 - repeatable, not secret
    return [_row(dice, count // 10) for _ in range(count)]


def _row(dice: random.Random, instants: int) -> dict[str, Any]:
    title = dice.choice(TITLES)
    return {
        "id": UUID(int=dice.getrandbits(128), version=4),
        "created_at": START + timedelta(hours=dice.randrange(instants), microseconds=dice.choice((0, 1, 999_999))),
        "title": title,
        "nick": dice.choice(NICKS),
        "stock": dice.randrange(-5, 20),
        "is_active": dice.random() < 0.3,
        "search": title.casefold(),
    }


def in_order(rows: list[dict[str, Any]], sort: str) -> list[UUID]:
    """The ids in the order that ``sort`` and the tie-breaker promise, worked out without a database."""
    words = sort.split(",")
    tie_breaker = "-id" if words[-1].startswith("-") else "id"
    ordered = list(rows)
    for word in reversed([*words, tie_breaker]):
        name = word.removeprefix("-")
        ordered.sort(key=lambda row: _comparable(row[name]), reverse=word.startswith("-"))
    return [row["id"] for row in ordered]


def _comparable(value: Any) -> Any:
    return (value or "").encode() if value is None or isinstance(value, str) else value
