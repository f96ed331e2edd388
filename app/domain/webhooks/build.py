from app.core import PRODUCT, Core
from app.domain.webhooks.jobs import enqueue_delivery
from app.domain.webhooks.listeners import webhook_listeners
from app.domain.webhooks.services.delivering import Deliverer
from app.domain.webhooks.services.enqueueing import EnqueueDelivery
from app.domain.webhooks.services.fan_out import FanOut
from app.domain.webhooks.settings import WebhookSettings
from app.lib.ratelimit.limiter import Limit
from app.lib.webhooks.kinds import WebhookKinds, kinds_by_name
from app.lib.webhooks.sender import WebhookSender


def build(core: Core) -> None:
    """The kinds that all domains declare, a listener for each, and the client that sends."""
    settings = core.settings.section(WebhookSettings)
    kinds = kinds_by_name(kind for domain in core.domains for kind in domain.webhook_kinds)
    core.services.add(settings)
    core.services.add(kinds, WebhookKinds)
    sender = WebhookSender(user_agent=f"{PRODUCT}-Webhooks", allow_private=settings.webhooks_allow_private)
    core.closing.append(sender.close)
    core.services.add(sender)
    core.services.add(Deliverer(core.job_database, sender, core.sealer, core.events))
    core.services.add(FanOut(kinds, enqueue_delivery))
    core.services.add(enqueue_delivery, EnqueueDelivery)
    core.events.listen(*webhook_listeners(kinds))
    core.limits["webhooks"] = Limit.parse("30 per minute")
