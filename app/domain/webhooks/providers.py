"""What the controllers of webhooks have injected."""

from litestar.di import Provide

from app.config import Settings
from app.domain.webhooks.jobs import enqueue_delivery
from app.domain.webhooks.repositories import WebhookReads
from app.domain.webhooks.services.deliveries import DeliveryService
from app.domain.webhooks.services.endpoints import WebhookService
from app.domain.webhooks.services.queries import WebhookQueries
from app.lib.audit import Origin
from app.lib.db.reader import Reader
from app.lib.db.uow import UnitOfWork
from app.lib.http.injection import Injected
from app.lib.pagination.cursor import CursorCodec
from app.lib.security.sealing import Sealer
from app.lib.webhooks.kinds import WebhookKinds


async def provide_webhook_queries(reader: Injected[Reader], cursors: Injected[CursorCodec]) -> WebhookQueries:
    return WebhookQueries(WebhookReads(reader, cursors))


async def provide_webhooks(
    unit: Injected[UnitOfWork],
    webhook_kinds: Injected[WebhookKinds],
    sealer: Injected[Sealer],
    origin: Injected[Origin],
    settings: Injected[Settings],
) -> WebhookService:
    return WebhookService(unit, webhook_kinds, sealer, origin, allow_private=settings.webhooks_allow_private)


async def provide_deliveries(unit: Injected[UnitOfWork]) -> DeliveryService:
    return DeliveryService(unit, enqueue_delivery)


PROVIDERS = {
    "webhook_queries": Provide(provide_webhook_queries),
    "webhooks": Provide(provide_webhooks),
    "deliveries": Provide(provide_deliveries),
}
