"""How the requests of this domain follow each other in ``docs/api.http``."""

from app.lib.openapi.collection import Steps

_DELIVERY = {"delivery_id": "{{testWebhook.response.body.id}}"}

STEPS = Steps(
    late=("retryWebhookDelivery",),  # which is refused while the first attempt runs
    values={
        "getWebhookDelivery": _DELIVERY,
        "retryWebhookDelivery": _DELIVERY,
        # no one listens at the address of the example, so that this job stays open
        "listOpenJobs": {"kind": "webhooks.deliver"},
    },
)
