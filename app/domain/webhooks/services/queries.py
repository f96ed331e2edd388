from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from app.domain.webhooks.dtos import DeliveryPage, DeliveryRead, WebhookPage, WebhookRead
from app.domain.webhooks.errors import DeliveryNotFound, WebhookNotFound
from app.domain.webhooks.repositories import DELIVERY_LIST, OWN_DELIVERY, OWN_WEBHOOK, WEBHOOK_LIST
from app.lib.db.reader import Reader
from app.lib.pagination.cursor import CursorCodec
from app.lib.pagination.paginate import paginate
from app.lib.pagination.parameters import PageRequest
from app.lib.security.principal import Principal

WEBHOOK_SORT = WEBHOOK_LIST.sort_parameter()
DELIVERY_SORT = DELIVERY_LIST.sort_parameter()


@dataclass
class WebhookQueries:
    """What owners are shown of their webhooks; reads only, without a transaction."""

    reader: Reader
    cursors: CursorCodec

    async def get_webhook(self, webhook_id: UUID, viewer: Principal) -> WebhookRead:
        """Raises ``WebhookNotFound``."""
        return await self.reader.one(OWN_WEBHOOK, WebhookNotFound, webhook_id=webhook_id, owner_id=viewer.user_id)

    async def list_webhooks(
        self, paging: PageRequest, sort: str | None, filters: Mapping[str, Any], viewer: Principal
    ) -> WebhookPage:
        narrowed = {**filters, "owner_id": viewer.user_id}
        return await paginate(self.reader, WEBHOOK_LIST, paging, self.cursors, sort=sort, filters=narrowed)

    async def get_delivery(self, webhook_id: UUID, delivery_id: UUID, viewer: Principal) -> DeliveryRead:
        """Raises ``DeliveryNotFound``."""
        return await self.reader.one(
            OWN_DELIVERY, DeliveryNotFound, delivery_id=delivery_id, webhook_id=webhook_id, owner_id=viewer.user_id
        )

    async def list_deliveries(
        self, webhook_id: UUID, paging: PageRequest, sort: str | None, filters: Mapping[str, Any], viewer: Principal
    ) -> DeliveryPage:
        """Raises ``WebhookNotFound``."""
        narrowed = {**filters, "webhook_id": webhook_id, "owner_id": viewer.user_id}
        page = await paginate(self.reader, DELIVERY_LIST, paging, self.cursors, sort=sort, filters=narrowed)
        if not page.items:
            await self.get_webhook(webhook_id, viewer)
        return page
