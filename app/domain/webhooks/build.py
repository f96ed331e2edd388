from functools import partial

from app.core import Core
from app.domain.webhooks.listeners import listener_for
from app.domain.webhooks.services.deliver import Deliverer
from app.domain.webhooks.settings import WebhookSettings
from app.lib.ratelimit.limiter import Limit
from app.lib.text import product_token
from app.lib.webhooks.kinds import kinds_by_name
from app.lib.webhooks.sender import WebhookSender


def build(core: Core) -> None:
    """The kinds that all domains declare, a listener for each, and the client that sends."""
    settings = core.services.get(WebhookSettings)
    kinds = kinds_by_name(kind for domain in core.domains for kind in domain.webhook_kinds)
    user_agent = f"{product_token(core.settings.product_name)}-Webhooks"
    sender = WebhookSender(user_agent=user_agent, allow_private=settings.webhooks_allow_private)
    core.services.add_all(kinds, sender, Deliverer(core.job_database, sender, core.sealer, core.events))
    core.events.listen(*map(partial(listener_for, max_pending=settings.webhooks_max_pending), kinds.values()))
    core.limits["webhooks"] = Limit.parse("30 per minute")
