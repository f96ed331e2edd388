"""The bases of all repositories, which are the only place for statements (docs/decisions/0020).

Prepared statements stand in their modules: selects for the Reader, without a transaction, and those that a service runs
in its unit of work as they are. A :class:`Repository` has those that need more than their values. An
:class:`EntityRepository` also has the standard verbs, which advanced-alchemy carries out.
"""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from functools import cache, cached_property
from typing import Any, ClassVar, Generic, TypeVar

import msgspec
from advanced_alchemy.exceptions import NotFoundError
from advanced_alchemy.repository import SQLAlchemyAsyncRepository
from advanced_alchemy.service import SQLAlchemyAsyncRepositoryService
from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.orm.util import identity_key

from app.lib.clock import utc_now
from app.lib.db.base import Entity
from app.lib.db.faults import refers_to_missing, violated_columns
from app.lib.db.uow import UnitOfWork
from app.lib.db.versions import IfMatch
from app.lib.errors import AppError, NotFound

EntityT = TypeVar("EntityT", bound=Entity)

ANY_VERSION = IfMatch()


class Repository:
    """The statements of some tables, in one unit of work."""

    def __init__(self, unit: UnitOfWork) -> None:
        self.unit = unit


class EntityRepository(Repository, Generic[EntityT]):
    """A repository of one entity: the standard verbs, and the statements that a subclass adds.

    advanced-alchemy's service and repository do the work, held and not inherited, so that none of their other methods
    can be called. A verb flushes at once, so that a violated constraint is raised by the verb that violates it.
    """

    model: type[EntityT]
    not_found: ClassVar[type[NotFound]] = NotFound
    taken: ClassVar[Mapping[str, type[AppError]]] = {}
    """The error for each column with a unique constraint."""
    missing: ClassVar[Mapping[str, type[AppError]]] = {}
    """The error for each table that a foreign key refers to. Name at most one: SQLite does not say which it was."""

    async def get(self, item_id: Any) -> EntityT:
        """The entity. Raises ``not_found``."""
        with self._business_errors():
            entity: EntityT = await self._alchemy.get(item_id)
        return entity

    async def get_for_update(
        self,
        item_id: Any,
        if_match: IfMatch = ANY_VERSION,
        *conditions: ColumnElement[bool],
        by: InstrumentedAttribute[Any] | None = None,
        key_share: bool = False,
    ) -> EntityT:
        """The entity as it is now, locked until the transaction ends, so that a change cannot be overtaken.

        ``by`` is the column that holds ``item_id``, where it is not the key. With ``key_share`` rows that refer to the
        entity can still be inserted. SQLite has locked the whole database already (``BEGIN IMMEDIATE``).
        Raises ``not_found``, also where a condition does not hold, or ``PreconditionFailed``.
        """
        with self._business_errors():
            entity: EntityT = await self._alchemy.repository.get(
                item_id,
                statement=select(self.model).where(*conditions),
                id_attribute=by,
                with_for_update={"key_share": key_share},
                execution_options={"populate_existing": True},
            )
        if_match.check(entity.version)
        return entity

    async def create(self, data: EntityT | msgspec.Struct | dict[str, Any]) -> EntityT:
        """Inserts one row. Raises the errors of ``taken`` and ``missing``."""
        with self._business_errors():
            entity: EntityT = await self._alchemy.create(data)
        return entity

    async def update(
        self, entity: EntityT, data: msgspec.Struct | dict[str, Any] | None = None, *, touch: bool = False
    ) -> bool:
        """Writes what has changed of a locked entity; False when nothing has, and then no statement runs.

        ``data`` are new values by column: ``UNSET`` is left as it is, what is not a column is ignored.
        ``touch`` counts a change of rows that belong to the entity as a change of its own.
        Raises the errors of ``taken`` and ``missing``.
        """
        version = entity.version
        if touch:
            entity.updated_at = utc_now()
        with self._business_errors():
            await self._alchemy.update(data or {}, item_id=entity.id)
        return entity.version != version

    async def delete(self, entity: EntityT) -> None:
        """Deletes a locked entity. Raises ``IntegrityError`` when a row refers to it that must stay."""
        await self._alchemy.delete(entity.id)

    @cached_property
    def _alchemy(self) -> "_AlchemyService":
        return _AlchemyService(
            session=self.unit.session,
            model=self.model,
            statement=_select(self.model),
            auto_commit=False,
            auto_refresh=False,
            wrap_exceptions=False,
        )

    @contextmanager
    def _business_errors(self) -> Generator[None]:
        try:
            yield
        except NotFoundError as exc:
            raise self.not_found from exc
        except IntegrityError as exc:
            columns = violated_columns(exc)
            errors = [error for column, error in self.taken.items() if column in columns]
            errors += [error for table, error in self.missing.items() if refers_to_missing(exc, table)]
            if errors:
                raise errors[0] from exc
            raise


@cache
def _select(model: type[EntityT]) -> Select[tuple[EntityT]]:
    """The statement that advanced-alchemy starts from, and would build for each repository."""
    return select(model)


class _AlchemyRepository(SQLAlchemyAsyncRepository[EntityT]):
    """advanced-alchemy's repository, which does not select again what the session holds.

    So an update of a locked entity is one UPDATE; by itself it is two SELECTs more. No version gets lost by this:
    the UPDATE names the version that was read.
    """

    def __init__(self, *, model: type[EntityT], **options: Any) -> None:
        self.model_type = model
        super().__init__(**options)

    async def get(self, item_id: Any, *, with_for_update: Any = None, **options: Any) -> EntityT:
        """From the session, or by a SELECT."""
        if with_for_update is None:
            held = self.session.identity_map.get(identity_key(self.model_type, item_id))
            if held is not None:
                return held
        return await super().get(item_id, with_for_update=with_for_update, **options)


class _AlchemyService(SQLAlchemyAsyncRepositoryService[Any, _AlchemyRepository[Any]]):
    repository_type = _AlchemyRepository
