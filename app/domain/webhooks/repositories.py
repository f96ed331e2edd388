"""Every statement about webhooks. ``…Reads`` read without a transaction, ``…Repository`` write in one."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    and_,
    bindparam,
    delete,
    exists,
    func,
    insert,
    literal_column,
    or_,
    select,
    update,
)

from app.domain.accounts.models import RolePermission, User, UserRole
from app.domain.webhooks.dtos import DeliveryPage, DeliveryRead, WebhookPage, WebhookRead
from app.domain.webhooks.models import WebhookDelivery, WebhookEndpoint, WebhookSubscription
from app.domain.webhooks.rows import DueDelivery
from app.lib.clock import utc_now
from app.lib.db.base import new_id
from app.lib.db.prepared import columns_of, joined_strings, one_row, prepare
from app.lib.db.reader import Reader
from app.lib.db.repository import Repository
from app.lib.db.statements import affected, insert_into
from app.lib.pagination.cursor import CursorCodec
from app.lib.pagination.filters import after, before, custom, equals
from app.lib.pagination.paginate import paginate
from app.lib.pagination.parameters import PageRequest
from app.lib.pagination.query import ListQuery
from app.lib.pagination.sorting import SortKey

PENDING, SUCCEEDED, FAILED = "pending", "succeeded", "failed"

_ROWS_PER_INSERT = 200

_kinds = joined_strings(
    WebhookEndpoint, WebhookSubscription.kind, WebhookSubscription.endpoint_id == WebhookEndpoint.id
)

_webhooks = select(*columns_of(WebhookRead, WebhookEndpoint, kinds=_kinds))
_deliveries = select(*columns_of(DeliveryRead, WebhookDelivery, webhook_id=WebhookDelivery.endpoint_id))

_own_webhook = prepare(
    _webhooks.where(WebhookEndpoint.id == bindparam("webhook_id"), WebhookEndpoint.owner_id == bindparam("owner_id")),
    WebhookRead,
)
_own_delivery = prepare(
    _deliveries.join(WebhookEndpoint, WebhookEndpoint.id == WebhookDelivery.endpoint_id).where(
        WebhookDelivery.id == bindparam("delivery_id"),
        WebhookEndpoint.id == bindparam("webhook_id"),
        WebhookEndpoint.owner_id == bindparam("owner_id"),
    ),
    DeliveryRead,
)
_due = (
    select(
        *columns_of(
            DueDelivery,
            WebhookDelivery,
            owner_id=WebhookEndpoint.owner_id,
            url=WebhookEndpoint.url,
            secret=WebhookEndpoint.secret,
            former_secret=WebhookEndpoint.former_secret,
            former_secret_expires_at=WebhookEndpoint.former_secret_expires_at,
            is_wanted=and_(WebhookEndpoint.is_active, User.is_active),
        )
    )
    .join(WebhookEndpoint, WebhookEndpoint.id == WebhookDelivery.endpoint_id)
    .join(User, User.id == WebhookEndpoint.owner_id)
)

WEBHOOK_SORTS = (SortKey("created_at", WebhookEndpoint.created_at, datetime),)

WEBHOOK_LIST = ListQuery(
    "webhooks",
    WebhookPage,
    _webhooks,
    identity=WebhookEndpoint.id,
    sorts=WEBHOOK_SORTS,
    default_sort="-created_at",
    filters=(equals("owner_id", WebhookEndpoint.owner_id), equals("is_active", WebhookEndpoint.is_active)),
)

DELIVERY_SORTS = (SortKey("created_at", WebhookDelivery.created_at, datetime),)

DELIVERY_LIST = ListQuery(
    "webhook_deliveries",
    DeliveryPage,
    _deliveries,
    identity=WebhookDelivery.id,
    sorts=DELIVERY_SORTS,
    default_sort="-created_at",
    filters=(
        equals("webhook_id", WebhookDelivery.endpoint_id),
        custom(
            "owner_id",
            WebhookEndpoint.owner_id.type,
            lambda owner: exists().where(
                WebhookEndpoint.id == WebhookDelivery.endpoint_id, WebhookEndpoint.owner_id == owner[0]
            ),
        ),
        equals("status", WebhookDelivery.status),
        equals("kind", WebhookDelivery.kind),
        after("created_after", WebhookDelivery.created_at),
        before("created_before", WebhookDelivery.created_at),
    ),
)


class WebhookReads:
    """Webhooks and their deliveries as their owner is shown them."""

    def __init__(self, reader: Reader, cursors: CursorCodec) -> None:
        self._reader = reader
        self._cursors = cursors

    async def webhook(self, webhook_id: UUID, owner_id: UUID) -> WebhookRead | None:
        return await self._reader.first(_own_webhook, webhook_id=webhook_id, owner_id=owner_id)

    async def webhooks(self, paging: PageRequest, sort: str | None, filters: Mapping[str, Any]) -> WebhookPage:
        return await paginate(self._reader, WEBHOOK_LIST, paging, self._cursors, sort=sort, filters=filters)

    async def delivery(self, delivery_id: UUID, webhook_id: UUID, owner_id: UUID) -> DeliveryRead | None:
        return await self._reader.first(
            _own_delivery, delivery_id=delivery_id, webhook_id=webhook_id, owner_id=owner_id
        )

    async def deliveries(self, paging: PageRequest, sort: str | None, filters: Mapping[str, Any]) -> DeliveryPage:
        return await paginate(self._reader, DELIVERY_LIST, paging, self._cursors, sort=sort, filters=filters)


class WebhookRepository(Repository[WebhookEndpoint]):
    model_type = WebhookEndpoint

    async def lock_own(self, webhook_id: UUID, owner_id: UUID) -> WebhookEndpoint | None:
        """The owner's webhook as it is now, locked until the transaction ends."""
        return await self.lock_where(WebhookEndpoint.id == webhook_id, WebhookEndpoint.owner_id == owner_id)

    async def lock_for_result(self, webhook_id: UUID) -> WebhookEndpoint | None:
        """The webhook, locked against changes, but not against new deliveries."""
        return await self.lock_where(WebhookEndpoint.id == webhook_id, key_share=True)

    async def count_of(self, owner_id: UUID) -> int:
        """How many webhooks somebody has. Locks the owner, so that two who count at once do not both find room."""
        await self.session.execute(select(User.id).where(User.id == owner_id).with_for_update(key_share=True))
        found = await self.session.execute(
            select(func.count()).select_from(WebhookEndpoint).where(WebhookEndpoint.owner_id == owner_id)
        )
        return int(found.scalar_one())

    async def kinds_of(self, webhook_id: UUID) -> frozenset[str]:
        found = await self.session.execute(
            select(WebhookSubscription.kind).where(WebhookSubscription.endpoint_id == webhook_id)
        )
        return frozenset(found.scalars())

    async def replace_kinds(self, webhook_id: UUID, kinds: Iterable[str]) -> None:
        await self.session.execute(delete(WebhookSubscription).where(WebhookSubscription.endpoint_id == webhook_id))
        await self.session.execute(
            insert(WebhookSubscription), [{"endpoint_id": webhook_id, "kind": kind} for kind in sorted(kinds)]
        )

    async def recipients(self, kind: str, permission: str | None, concerns: Collection[UUID]) -> Sequence[UUID]:
        """The active webhooks that want this kind and whose owner, being active, may have this event now."""
        may_have: list[ColumnElement[bool]] = [User.is_superuser.is_(True), User.id.in_(concerns)]
        if permission is not None:
            may_have.append(
                exists()
                .where(UserRole.user_id == User.id)
                .where(UserRole.role_id == RolePermission.role_id, RolePermission.code == permission)
            )
        found = await self.session.execute(
            select(WebhookEndpoint.id)
            .join(WebhookSubscription, WebhookSubscription.endpoint_id == WebhookEndpoint.id)
            .join(User, User.id == WebhookEndpoint.owner_id)
            .where(WebhookSubscription.kind == kind, WebhookEndpoint.is_active, User.is_active, or_(*may_have))
            .order_by(WebhookEndpoint.id)
        )
        return found.scalars().all()

    async def after(self, webhook_id: UUID | None, limit: int) -> Sequence[WebhookEndpoint]:
        """Webhooks in the order of their ids, locked; the first ones without an id to go on after."""
        statement = select(WebhookEndpoint).order_by(WebhookEndpoint.id).limit(limit).with_for_update(key_share=True)
        if webhook_id is not None:
            statement = statement.where(WebhookEndpoint.id > webhook_id)
        return (await self.session.execute(statement)).scalars().all()


class DeliveryRepository(Repository[WebhookDelivery]):
    model_type = WebhookDelivery

    async def add_new(self, webhook_ids: Sequence[UUID], event_id: UUID, kind: str, body: str) -> list[UUID]:
        """One pending delivery for each webhook that does not have this event yet; the ids of the new ones."""
        now = utc_now()
        common = {"event_id": event_id, "kind": kind, "body": body, "status": PENDING, "attempts": 0, "version": 1}
        times = {"next_attempt_at": now, "created_at": now, "updated_at": now}
        rows = [{"id": new_id(), "endpoint_id": each, **common, **times} for each in webhook_ids]
        added: list[UUID] = []
        for start in range(0, len(rows), _ROWS_PER_INSERT):
            statement = insert_into(self.session, WebhookDelivery).values(rows[start : start + _ROWS_PER_INSERT])
            done = await self.session.execute(statement.on_conflict_do_nothing().returning(WebhookDelivery.id))
            added += done.scalars()
        return added

    async def overdue(self, before: datetime, limit: int) -> Sequence[UUID]:
        """What should have been attempted by then, the longest waiting first."""
        waiting = select(WebhookDelivery.id).where(
            WebhookDelivery.status == literal_column(f"'{PENDING}'"), WebhookDelivery.next_attempt_at < before
        )
        found = await self.session.execute(waiting.order_by(WebhookDelivery.next_attempt_at).limit(limit))
        return found.scalars().all()

    async def due(self, delivery_id: UUID) -> DueDelivery | None:
        """The delivery and what its endpoint has to say, as committed now."""
        return one_row(await self.session.execute(_due.where(WebhookDelivery.id == delivery_id)), DueDelivery)

    async def lock_own(self, delivery_id: UUID, webhook_id: UUID) -> WebhookDelivery | None:
        """A delivery of the webhook, locked until the transaction ends."""
        return await self.lock_where(WebhookDelivery.id == delivery_id, WebhookDelivery.endpoint_id == webhook_id)

    async def record(self, delivery_id: UUID, attempts: int, values: Mapping[str, Any]) -> bool:
        """Writes what came of an attempt, unless another one was written since ``attempts`` was read."""
        changed = await self.session.execute(
            update(WebhookDelivery)
            .where(
                WebhookDelivery.id == delivery_id,
                WebhookDelivery.status == PENDING,
                WebhookDelivery.attempts == attempts,
            )
            .values(attempts=attempts + 1, version=WebhookDelivery.version + 1, **values)
            .execution_options(synchronize_session=False)
        )
        return affected(changed) == 1

    async def purge(self, created_before: datetime) -> None:
        """Removes what is over and was made before then."""
        await self.session.execute(
            delete(WebhookDelivery).where(
                WebhookDelivery.created_at < created_before, WebhookDelivery.status != PENDING
            )
        )
