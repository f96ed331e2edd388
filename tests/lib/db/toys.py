"""A small schema of its own, with everything that databases treat differently."""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

import pytest
from sqlalchemy import JSON, CheckConstraint, ForeignKey, LargeBinary, MetaData, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.lib.db.base import NAMING_CONVENTION, Entity
from app.lib.db.repositories import EntityRepository
from app.lib.errors import Conflict, Duplicate, NotFound

ON_SQLITE = pytest.mark.parametrize("toys_url", ["sqlite"], indirect=True)
ON_POSTGRESQL = pytest.mark.parametrize("toys_url", ["postgresql"], indirect=True)


class ToyBase(Entity):
    """Apart from the service's own tables."""

    __abstract__ = True
    metadata = MetaData(naming_convention=NAMING_CONVENTION)


class Box(ToyBase):
    __tablename__ = "boxes"

    label: Mapped[str] = mapped_column(String(20), unique=True)


class Toy(ToyBase):
    __tablename__ = "toys"

    name: Mapped[str] = mapped_column(String(20))
    colour: Mapped[str] = mapped_column(String(20), default="red")
    size: Mapped[int] = mapped_column(default=0)
    is_new: Mapped[bool] = mapped_column(default=True)
    made_at: Mapped[datetime | None]
    picture: Mapped[bytes | None] = mapped_column(LargeBinary)
    parts: Mapped[Any | None] = mapped_column(JSON)
    note: Mapped[str | None] = mapped_column(Text)
    box_id: Mapped[UUID | None] = mapped_column(ForeignKey("boxes.id", ondelete="RESTRICT"), index=True)

    __table_args__ = (CheckConstraint("size >= 0", name="size"),)


class Marble(ToyBase):
    __tablename__ = "marbles"

    label: Mapped[str] = mapped_column(String(20))
    colour: Mapped[str] = mapped_column(String(20))

    __table_args__ = (UniqueConstraint("label", "colour"),)


class ToyNotFound(NotFound):
    pass


class LabelTaken(Duplicate):
    pass


class BoxMissing(Conflict):
    pass


class ToyRepository(EntityRepository[Toy]):
    model = Toy
    not_found = ToyNotFound
    missing: ClassVar = {"boxes": BoxMissing}


class BoxRepository(EntityRepository[Box]):
    model = Box
    taken: ClassVar = {"label": LabelTaken}
