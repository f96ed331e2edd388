"""The generic service: create, read, update and delete of one entity, with versions and clear refusals."""

from typing import Any, ClassVar, Generic, TypeVar
from uuid import UUID

from advanced_alchemy.service import SQLAlchemyAsyncRepositoryService

from app.lib.db.repository import EntityT, Repository
from app.lib.db.uow import UnitOfWork
from app.lib.errors import NotFound, PreconditionFailed

RepositoryT = TypeVar("RepositoryT", bound=Repository[Any])


class EntityService(SQLAlchemyAsyncRepositoryService[EntityT, RepositoryT], Generic[EntityT, RepositoryT]):
    """advanced-alchemy's service on our repository, in one unit of work.

    Subclasses set ``repository_type``. Inherited: ``get``, ``get_one_or_none``, ``get_many``, ``count``,
    ``exists``, ``create``, ``update``, ``delete`` and their plurals.
    """

    not_found: ClassVar[type[NotFound]] = NotFound

    def __init__(self, unit: UnitOfWork, **options: Any) -> None:
        super().__init__(session=unit.session, auto_commit=False, auto_refresh=False, **options)
        self.unit = unit

    async def require(self, item_id: UUID) -> EntityT:
        """The entity. Raises the service's ``not_found``."""
        entity: EntityT | None = await self.repository.find(item_id)
        if entity is None:
            raise self.not_found
        return entity

    async def require_locked(self, item_id: UUID, versions: frozenset[int] | None = None) -> EntityT:
        """The entity, locked for a change. ``versions`` are those of ``If-Match``; None is any.

        Raises the service's ``not_found``, or ``PreconditionFailed``.
        """
        entity: EntityT | None = await self.repository.lock(item_id)
        if entity is None:
            raise self.not_found
        if versions is not None and entity.version not in versions:
            raise PreconditionFailed
        return entity
