"""Every statement about webhooks: prepared ones, and repositories that write."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

import msgspec
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

from app.domain.accounts.errors import AccountGone
from app.domain.accounts.models import RolePermission, User, UserRole
from app.domain.webhooks.dtos import DeliveryPage, DeliveryRead, WebhookPage, WebhookRead
from app.domain.webhooks.errors import DeliveryNotFound, WebhookNotFound
from app.domain.webhooks.models import WebhookDelivery, WebhookEndpoint, WebhookSubscription
from app.lib.clock import utc_now
from app.lib.db.base import new_id, table_of
from app.lib.db.prepared import columns_of, joined_strings, prepare
from app.lib.db.repositories import ANY_VERSION, EntityRepository
from app.lib.db.statements import delete_batch, insert_or_update
from app.lib.db.versions import IfMatch
from app.lib.pagination.filters import after, before, custom, equals
from app.lib.pagination.query import ListQuery
from app.lib.pagination.sorting import SortKey

PENDING, SUCCEEDED, FAILED = "pending", "succeeded", "failed"

_subscriptions = table_of(WebhookSubscription)
_delivery_table = table_of(WebhookDelivery)
_d = _delivery_table.c


class DeliverWebhook(msgspec.Struct, frozen=True):
    """What the job of a delivery is about. Each owner has a share of the places."""

    delivery_id: UUID
    owner_id: UUID


class DueDelivery(msgspec.Struct, frozen=True):
    """What an attempt has to know. ``is_wanted`` is whether the endpoint and its owner are active."""

    id: UUID
    endpoint_id: UUID
    event_id: UUID
    kind: str
    body: str
    status: str
    owner_id: UUID
    url: str
    secret: bytes
    former_secret: bytes | None
    former_secret_expires_at: datetime | None
    is_wanted: bool


_kinds = joined_strings(
    WebhookEndpoint, WebhookSubscription.kind, WebhookSubscription.endpoint_id == WebhookEndpoint.id
)

_webhooks = select(*columns_of(WebhookRead, WebhookEndpoint, kinds=_kinds))
_deliveries = select(*columns_of(DeliveryRead, WebhookDelivery, webhook_id=WebhookDelivery.endpoint_id))

OWN_WEBHOOK = prepare(
    _webhooks.where(WebhookEndpoint.id == bindparam("webhook_id"), WebhookEndpoint.owner_id == bindparam("owner_id")),
    WebhookRead,
)
OWN_DELIVERY = prepare(
    _deliveries.join(WebhookEndpoint, WebhookEndpoint.id == WebhookDelivery.endpoint_id).where(
        WebhookDelivery.id == bindparam("delivery_id"),
        WebhookEndpoint.id == bindparam("webhook_id"),
        WebhookEndpoint.owner_id == bindparam("owner_id"),
    ),
    DeliveryRead,
)
DUE = prepare(
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
    .where(WebhookDelivery.id == bindparam("delivery_id")),
    DueDelivery,
)
"""A delivery and its endpoint."""
_lock_owner = prepare(select(User.id).where(User.id == bindparam("owner_id")).with_for_update(key_share=True), UUID)
_count_of = prepare(
    select(func.count().label("count"))
    .select_from(WebhookEndpoint)
    .where(WebhookEndpoint.owner_id == bindparam("owner_id")),
    int,
)
_kinds_of = prepare(
    select(WebhookSubscription.kind).where(WebhookSubscription.endpoint_id == bindparam("webhook_id")), str
)
_delete_kinds = prepare(delete(_subscriptions).where(_subscriptions.c.endpoint_id == bindparam("webhook_id")))
_insert_kind = prepare(insert(_subscriptions))
_insert_delivery = prepare(insert_or_update(_delivery_table).on_conflict_do_nothing().returning(_d.id), UUID)
OVERDUE = prepare(
    select(_d.id.label("delivery_id"), WebhookEndpoint.owner_id)
    .join(WebhookEndpoint, WebhookEndpoint.id == _d.endpoint_id)
    .where(_d.status == literal_column(f"'{PENDING}'"), _d.next_attempt_at < bindparam("before"))
    .order_by(_d.next_attempt_at)
    .limit(bindparam("count")),
    DeliverWebhook,
)
"""What should have been attempted by then, the longest waiting first."""
_RECORDED = (
    *("status", "attempts", "next_attempt_at", "last_attempt_at", "updated_at"),
    *("failure", "response_status", "response_body", "duration_ms"),
)
_record = prepare(
    update(_delivery_table)
    .where(_d.id == bindparam("delivery_id"), _d.status == PENDING)
    .values(**{name: bindparam(f"new_{name}", type_=_d[name].type) for name in _RECORDED}, version=_d.version + 1)
)
PURGE = prepare(delete_batch(_delivery_table, _d.created_at < bindparam("before"), _d.status != PENDING))
"""Removes what was created before then and has succeeded or failed."""

WEBHOOK_LIST = ListQuery(
    "webhooks",
    WebhookPage,
    _webhooks,
    identity=WebhookEndpoint.id,
    sorts=(SortKey("created_at", WebhookEndpoint.created_at, datetime),),
    default_sort="-created_at",
    filters=(equals("owner_id", WebhookEndpoint.owner_id), equals("is_active", WebhookEndpoint.is_active)),
)

DELIVERY_LIST = ListQuery(
    "webhook_deliveries",
    DeliveryPage,
    _deliveries,
    identity=WebhookDelivery.id,
    sorts=(SortKey("created_at", WebhookDelivery.created_at, datetime),),
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


class WebhookRepository(EntityRepository[WebhookEndpoint]):
    model = WebhookEndpoint
    not_found = WebhookNotFound
    missing: ClassVar = {"users": AccountGone}

    async def get_own_for_update(
        self, webhook_id: UUID, owner_id: UUID, if_match: IfMatch = ANY_VERSION
    ) -> WebhookEndpoint:
        """The owner's webhook, locked until the transaction ends."""
        return await self.get_for_update(webhook_id, if_match, WebhookEndpoint.owner_id == owner_id)

    async def lock_for_result(self, webhook_id: UUID) -> WebhookEndpoint | None:
        """The webhook, locked against changes, but not against new deliveries. None when it is deleted."""
        try:
            return await self.get_for_update(webhook_id, key_share=True)
        except WebhookNotFound:
            return None

    async def count_of(self, owner_id: UUID) -> int:
        """The number of a user's webhooks. Locks the user, so that two who count at once do not both find room."""
        await self.unit.first(_lock_owner, owner_id=owner_id)
        return await self.unit.first(_count_of, owner_id=owner_id) or 0

    async def kinds_of(self, webhook_id: UUID) -> frozenset[str]:
        return frozenset(await self.unit.all(_kinds_of, webhook_id=webhook_id))

    async def set_kinds(self, webhook_id: UUID, kinds: Iterable[str]) -> None:
        await self.unit.execute(_delete_kinds, webhook_id=webhook_id)
        await self.unit.execute_many(
            _insert_kind, [{"endpoint_id": webhook_id, "kind": kind} for kind in sorted(kinds)]
        )

    async def recipients(self, kind: str, permission: str | None, concerns: Collection[UUID]) -> dict[UUID, UUID]:
        """The active webhooks with this subscription whose owner, being active, may receive the event now; and that
        owner.
        """
        may_receive: list[ColumnElement[bool]] = [User.is_superuser.is_(True), User.id.in_(concerns)]
        if permission is not None:
            may_receive.append(
                exists()
                .where(UserRole.user_id == User.id)
                .where(UserRole.role_id == RolePermission.role_id, RolePermission.code == permission)
            )
        found = await self.unit.session.execute(
            select(WebhookEndpoint.id, WebhookEndpoint.owner_id)
            .join(WebhookSubscription, WebhookSubscription.endpoint_id == WebhookEndpoint.id)
            .join(User, User.id == WebhookEndpoint.owner_id)
            .where(WebhookSubscription.kind == kind, WebhookEndpoint.is_active, User.is_active, or_(*may_receive))
            .order_by(WebhookEndpoint.id)
        )
        return dict(found.tuples().all())

    async def lock_after(self, webhook_id: UUID | None, limit: int) -> Sequence[WebhookEndpoint]:
        """Webhooks in the order of their ids, locked; after that one, or from the first."""
        statement = select(WebhookEndpoint).order_by(WebhookEndpoint.id).limit(limit).with_for_update(key_share=True)
        if webhook_id is not None:
            statement = statement.where(WebhookEndpoint.id > webhook_id)
        return (await self.unit.session.execute(statement)).scalars().all()


class DeliveryRepository(EntityRepository[WebhookDelivery]):
    model = WebhookDelivery
    not_found = DeliveryNotFound

    async def create_many(
        self, owners: Mapping[UUID, UUID], event_id: UUID, kind: str, body: str
    ) -> list[DeliverWebhook]:
        """One pending delivery for each webhook that does not have this event yet; the new ones. ``owners`` are those
        of the webhooks.
        """
        now = utc_now()
        empty: dict[str, Any] = dict.fromkeys(
            ("last_attempt_at", "failure", "response_status", "response_body", "duration_ms")
        )
        common = {"event_id": event_id, "kind": kind, "body": body, "status": PENDING, "attempts": 0, "version": 1}
        times = {"next_attempt_at": now, "created_at": now, "updated_at": now}
        common |= empty | times
        webhooks = {new_id(): webhook_id for webhook_id in owners}
        rows = (
            {"id": delivery_id, "endpoint_id": webhook_id, **common} for delivery_id, webhook_id in webhooks.items()
        )
        new = await self.unit.all_many(_insert_delivery, rows)
        return [DeliverWebhook(delivery_id, owners[webhooks[delivery_id]]) for delivery_id in new]

    async def record(self, delivery_id: UUID, **values: Any) -> bool:
        """Writes how an attempt ended. False when the delivery has succeeded or failed since, or is deleted."""
        new = {f"new_{name}": value for name, value in values.items()}
        return await self.unit.execute(_record, delivery_id=delivery_id, **new) == 1
