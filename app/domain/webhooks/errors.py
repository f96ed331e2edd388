from app.lib.errors import Conflict, InvalidState, NotFound


class WebhookNotFound(NotFound):
    detail = "There is no such webhook, or it is not yours."


class DeliveryNotFound(NotFound):
    detail = "There is no such delivery, or it is not yours."


class TooManyWebhooks(Conflict):
    def __init__(self, limit: int) -> None:
        super().__init__(f"You have {limit} webhooks, which is the maximum; delete one first.")


class WebhookInactive(InvalidState):
    detail = "The webhook is not active; activate it first."


class TooManyPending(Conflict):
    def __init__(self, limit: int) -> None:
        super().__init__(f"{limit} deliveries of the webhook wait, which is the maximum; they end within three days.")


class DeliveryPending(InvalidState):
    detail = "An attempt to deliver this is running."
