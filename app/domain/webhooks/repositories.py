"""Every statement about webhooks: prepared ones, and repositories that write."""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

import msgspec
from sqlalchemy import (
    Integer,
    and_,
    bindparam,
    delete,
    exists,
    func,
    insert,
    literal_column,
    or_,
    select,
    union_all,
    update,
)

from app.domain.accounts.errors import AccountGone
from app.domain.accounts.models import RolePermission, User, UserRole
from app.domain.webhooks.dtos import DeliveryPage, DeliveryRead, WebhookPage, WebhookRead
from app.domain.webhooks.errors import DeliveryNotFound, WebhookNotFound
from app.domain.webhooks.models import WebhookDelivery, WebhookEndpoint, WebhookSubscription
from app.domain.webhooks.rows import DeliverWebhook, DueDelivery, NewDelivery, Recipient
from app.lib.clock import utc_now
from app.lib.db.base import new_id, table_of
from app.lib.db.gauges import DatabaseGauge, count_by_status
from app.lib.db.prepared import columns_of, joined_strings, prepare
from app.lib.db.repositories import ANY_VERSION, EntityRepository
from app.lib.db.statements import delete_batch, insert_or_update
from app.lib.db.versions import IfMatch
from app.lib.pagination.filters import between, custom, equals
from app.lib.pagination.query import ListQuery
from app.lib.pagination.sorting import SortKey

PENDING, SUCCEEDED, FAILED = "pending", "succeeded", "failed"

_subscriptions = table_of(WebhookSubscription)
_delivery_table = table_of(WebhookDelivery)
_d = _delivery_table.c
_is_waiting = _d.status == literal_column(f"'{PENDING}'")  # as the partial indexes have it


_kinds = joined_strings(
    WebhookEndpoint, WebhookSubscription.kind, WebhookSubscription.endpoint_id == WebhookEndpoint.id
)

_webhooks = select(*columns_of(WebhookRead, WebhookEndpoint, kinds=_kinds))
_deliveries = select(*columns_of(DeliveryRead, WebhookDelivery, webhook_id=WebhookDelivery.endpoint_id))

GAUGES = (
    DatabaseGauge(
        "webhook_deliveries",
        "Deliveries that wait, or were given up; those that arrived are attempts of the job webhooks.deliver.",
        "status",
        count_by_status(WebhookDelivery.status, {PENDING: WebhookDelivery.next_attempt_at, FAILED: WebhookDelivery.id}),
    ),
)

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
    .where(_is_waiting, _d.next_attempt_at < bindparam("before"))
    .order_by(_d.next_attempt_at)
    .limit(bindparam("count")),
    DeliverWebhook,
)
"""What should have been attempted by then, the longest waiting first."""
_older = (
    _d.endpoint_id == bindparam("webhook_id"),
    _d.resource_id == bindparam("resource_id"),
    _d.kind == bindparam("kind"),
    _is_waiting,
    _d.last_attempt_at.is_(None),
    _d.resource_version < bindparam("new_resource_version"),
)
_known = _delivery_table.alias()
_replace_older = prepare(
    update(_delivery_table)
    .where(
        _d.id.in_(select(_d.id).where(*_older).limit(1)),
        *_older,
        ~exists().where(
            _known.c.endpoint_id == bindparam("webhook_id"), _known.c.event_id == bindparam("new_event_id")
        ),
    )
    .values(
        **{name: bindparam(f"new_{name}", type_=_d[name].type) for name in ("event_id", "body", "resource_version")},
        version=_d.version + 1,
        updated_at=bindparam("now"),
    )
    .returning(_d.endpoint_id),
    UUID,
)
_is_full = (
    select(_d.id)
    .where(_d.endpoint_id == WebhookEndpoint.id, _is_waiting)
    .offset(bindparam("max_pending", type_=Integer()) - 1)
    .limit(1)
    .exists()
)
_full = prepare(select(_is_full).where(WebhookEndpoint.id == bindparam("webhook_id")), bool)
_RECORDED = (
    *("status", "attempts", "next_attempt_at", "last_attempt_at", "updated_at"),
    *("failure", "response_status", "response_body", "duration_ms"),
)
_record = prepare(
    update(_delivery_table)
    .where(_d.id == bindparam("delivery_id"), _d.status == PENDING, _d.version == bindparam("seen_version"))
    .values(**{name: bindparam(f"new_{name}", type_=_d[name].type) for name in _RECORDED}, version=_d.version + 1)
)
PURGE = prepare(
    delete_batch(
        _delivery_table,
        _d.created_at < bindparam("before"),
        or_(_d.status != PENDING, _d.next_attempt_at < bindparam("before")),
    )
)
"""Removes what was created before then and does not wait for an attempt."""
DELETE_OF = prepare(delete_batch(_delivery_table, _d.endpoint_id == bindparam("webhook_id"), all_of_them=True))
"""Removes deliveries of a webhook."""
_erase_words = prepare(
    update(_delivery_table)
    .where(_d.id == bindparam("delivery_id"))
    .values(body=bindparam("new_body"), response_body=None, updated_at=_d.updated_at)
)
LOCK_ALL_OF = prepare(
    select(WebhookEndpoint.id)
    .where(WebhookEndpoint.owner_id == bindparam("owner_id"))
    .order_by(WebhookEndpoint.id)
    .with_for_update(),
    UUID,
)
"""The webhooks of a user, locked as for a deletion: before their deliveries, as everywhere."""

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
        *between("created", WebhookDelivery.created_at),
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

    async def is_full(self, webhook_id: UUID, max_pending: int) -> bool:
        """Whether that number of deliveries waits."""
        return bool(await self.unit.first(_full, webhook_id=webhook_id, max_pending=max_pending))

    async def recipients(
        self, kind: str, permission: str | None, concerns: Collection[UUID], max_pending: int
    ) -> list[Recipient]:
        """The active webhooks whose owner is active and may receive the event; locked against deletion."""
        may_receive = [select(User.id).where(User.is_superuser), select(User.id).where(User.id.in_(concerns))]
        if permission is not None:
            holders = select(UserRole.user_id).join(RolePermission, RolePermission.role_id == UserRole.role_id)
            may_receive.append(holders.where(RolePermission.code == permission))
        found = await self.unit.session.execute(
            select(WebhookEndpoint.id, WebhookEndpoint.owner_id, _is_full)
            .join(WebhookSubscription, WebhookSubscription.endpoint_id == WebhookEndpoint.id)
            .join(User, User.id == WebhookEndpoint.owner_id)
            .where(WebhookSubscription.kind == kind, WebhookEndpoint.is_active, User.is_active)
            # From the owners, who are few, to their webhooks: every user may have one with this subscription.
            .where(WebhookEndpoint.owner_id.in_(union_all(*may_receive)))
            .order_by(WebhookEndpoint.id)
            .with_for_update(read=True, key_share=True, of=WebhookEndpoint),
            {"max_pending": max_pending},
        )
        return [Recipient(*row) for row in found]


class DeliveryRepository(EntityRepository[WebhookDelivery]):
    model = WebhookDelivery
    not_found = DeliveryNotFound

    async def replace_older(self, webhook_ids: Iterable[UUID], new: NewDelivery) -> set[UUID]:
        """Puts the event in the place of an older, untried one about the same resource; the webhooks that had one."""
        values = {
            "resource_id": new.resource_id,
            "kind": new.kind,
            "new_event_id": new.event_id,
            "new_body": new.body,
            "new_resource_version": new.resource_version,
            "now": utc_now(),
        }
        rows = ({"webhook_id": webhook_id, **values} for webhook_id in webhook_ids)
        return set(await self.unit.all_many(_replace_older, rows))

    async def create_many(self, recipients: Iterable[Recipient], new: NewDelivery) -> list[DeliverWebhook]:
        """A delivery for each webhook that does not have this event yet. Returns the new ones that wait."""
        now = utc_now()
        empty = dict.fromkeys(("last_attempt_at", "response_status", "response_body", "duration_ms"))
        common = {**msgspec.structs.asdict(new), **empty, "attempts": 0, "version": 1}
        common |= {"created_at": now, "updated_at": now}
        waits = {"status": PENDING, "next_attempt_at": now, "failure": None}
        full = {"status": FAILED, "next_attempt_at": None, "failure": "too_many_pending"}
        by_id = {new_id(): each for each in recipients}
        rows = (
            {"id": delivery_id, "endpoint_id": each.webhook_id, **common, **(full if each.is_full else waits)}
            for delivery_id, each in by_id.items()
        )
        created = await self.unit.all_many(_insert_delivery, rows)
        return [DeliverWebhook(each, by_id[each].owner_id) for each in created if not by_id[each].is_full]

    async def record(self, due: DueDelivery, **values: Any) -> bool:
        """Writes how an attempt ended. False when the delivery has changed since, or is deleted."""
        new = {f"new_{name}": value for name, value in values.items()}
        return await self.unit.execute(_record, delivery_id=due.id, seen_version=due.version, **new) == 1

    async def erase_words(self, resource_ids: Collection[UUID], words: Collection[str]) -> None:
        """Takes what people wrote out of the messages about these, and out of what receivers answered."""
        stored = await self.unit.session.execute(select(_d.id, _d.body).where(_d.resource_id.in_(resource_ids)))
        messages = [(delivery_id, msgspec.json.decode(body)) for delivery_id, body in stored.tuples()]
        rows = [
            {"delivery_id": delivery_id, "new_body": _without(message, words)}
            for delivery_id, message in messages
            if any(message["data"].get(word) for word in words)
        ]
        await self.unit.execute_many(_erase_words, rows)


def _without(message: dict[str, Any], words: Iterable[str]) -> str:
    return msgspec.json.encode(message | {"data": message["data"] | dict.fromkeys(words)}).decode()
