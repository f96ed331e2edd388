from app.core import Core
from app.domain.notifications.services.links import UnsubscribeLinks
from app.domain.notifications.services.preferences import UserSubscriptions
from app.lib.mail.delivery import Subscriptions


def build(core: Core) -> None:
    """Links to unsubscribe, and the subscriptions of users for the mailer."""
    links = UnsubscribeLinks(core.settings.base_url, *core.keys.derive_all("unsubscribe"))
    core.services.add(links)
    core.services.add(UserSubscriptions(core.database.reader, links), Subscriptions)
