"""The generic repository: every statement of a table, ORM or Core, is a method of one."""

from typing import Any, TypeVar, cast
from uuid import UUID

from advanced_alchemy.repository import SQLAlchemyAsyncRepository
from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import InstrumentedAttribute

from app.lib.db.base import Entity

EntityT = TypeVar("EntityT", bound=Entity)


class Repository(SQLAlchemyAsyncRepository[EntityT]):
    """advanced-alchemy's repository for one of our entities, plus what it lacks.

    Subclasses set ``model_type``. Inherited: ``get``, ``get_one_or_none``, ``get_many``, ``count``, ``exists``,
    ``add``, ``update``, ``delete`` and their plurals.
    """

    async def find(self, item_id: UUID) -> EntityT | None:
        """The entity, or None."""
        return await self.get_one_or_none(cast("Any", self.model_type).id == item_id)

    async def find_by(self, **values: Any) -> EntityT | None:
        """The one entity whose columns have these values, or None."""
        return await self.get_one_or_none(*self._equal(values))

    async def lock(self, item_id: UUID) -> EntityT | None:
        """The entity as it is now, locked until the transaction ends, so that a change cannot be overtaken.

        SQLite has locked the whole database already (``BEGIN IMMEDIATE``) and ignores ``FOR UPDATE``.
        """
        return await self.lock_where(cast("Any", self.model_type).id == item_id)

    async def lock_where(self, *conditions: ColumnElement[bool], key_share: bool = False) -> EntityT | None:
        """The same by conditions of which at most one entity fulfils all. With ``key_share`` rows that refer to it
        can still come and go meanwhile.
        """
        statement = (
            select(self.model_type)
            .where(*conditions)
            .with_for_update(key_share=key_share)
            .execution_options(populate_existing=True)
        )
        return (await self.session.execute(statement)).scalar_one_or_none()

    async def insert(self, entity: EntityT) -> EntityT:
        """Adds and flushes; spares the SELECT after it, because every value is made on our side."""
        self.session.add(entity)
        await self.session.flush()
        return entity

    async def flush(self) -> None:
        """Sends pending changes, so that constraints speak now."""
        await self.session.flush()

    def _equal(self, values: dict[str, Any]) -> list[ColumnElement[bool]]:
        columns = [(cast("InstrumentedAttribute[Any]", getattr(self.model_type, k)), v) for k, v in values.items()]
        return [column == value for column, value in columns]
