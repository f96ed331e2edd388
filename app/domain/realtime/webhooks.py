from app.domain.realtime.events import RoomDeleted
from app.domain.realtime.permissions import ROOMS_READ
from app.lib.webhooks.kinds import WebhookKind, WebhookPayload

WEBHOOK_KINDS = (
    WebhookKind(
        event=RoomDeleted,
        description="A room was deleted.",
        permission=ROOMS_READ,
        payload_of=lambda event: WebhookPayload(data={"room_id": str(event.aggregate_id)}),
    ),
)
