from collections.abc import Mapping
from typing import Any
from uuid import UUID

from app.domain.webhooks.dtos import DeliveryPage, DeliveryRead, WebhookPage, WebhookRead
from app.domain.webhooks.errors import DeliveryNotFound, WebhookNotFound
from app.domain.webhooks.repositories import DELIVERY_SORTS, WEBHOOK_SORTS, WebhookReads
from app.lib.pagination.parameters import PageRequest
from app.lib.security.principal import Principal

WEBHOOK_SORT_KEYS = tuple(key.name for key in WEBHOOK_SORTS)
DELIVERY_SORT_KEYS = tuple(key.name for key in DELIVERY_SORTS)


class WebhookQueries:
    """What owners are shown of their webhooks; reads only, without a transaction."""

    def __init__(self, reads: WebhookReads) -> None:
        self._reads = reads

    async def get_webhook(self, webhook_id: UUID, viewer: Principal) -> WebhookRead:
        """Raises ``WebhookNotFound``."""
        if (webhook := await self._reads.find_webhook(webhook_id, viewer.user_id)) is None:
            raise WebhookNotFound
        return webhook

    async def list_webhooks(
        self, paging: PageRequest, sort: str | None, filters: Mapping[str, Any], viewer: Principal
    ) -> WebhookPage:
        return await self._reads.list_webhooks(paging, sort, {**filters, "owner_id": viewer.user_id})

    async def get_delivery(self, webhook_id: UUID, delivery_id: UUID, viewer: Principal) -> DeliveryRead:
        """Raises ``DeliveryNotFound``."""
        if (delivery := await self._reads.find_delivery(delivery_id, webhook_id, viewer.user_id)) is None:
            raise DeliveryNotFound
        return delivery

    async def list_deliveries(
        self, webhook_id: UUID, paging: PageRequest, sort: str | None, filters: Mapping[str, Any], viewer: Principal
    ) -> DeliveryPage:
        """Raises ``WebhookNotFound``."""
        narrowed = {**filters, "webhook_id": webhook_id, "owner_id": viewer.user_id}
        page = await self._reads.list_deliveries(paging, sort, narrowed)
        if not page.items:
            await self.get_webhook(webhook_id, viewer)
        return page
