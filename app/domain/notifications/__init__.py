"""Notifications: what is mailed, to whom, when; and what people can do without."""

from pathlib import Path

from app.domain.notifications.controllers.preferences import NotificationController
from app.domain.notifications.controllers.unsubscribe import show_unsubscribe_page, unsubscribe
from app.domain.notifications.listeners import LISTENERS
from app.domain.notifications.providers import PROVIDERS
from app.lib.domain import Domain
from app.lib.mail.jobs import JOBS

MAIL_TEMPLATES = Path(__file__).parent / "templates"

notifications = Domain(
    name="notifications",
    controllers=(NotificationController, show_unsubscribe_page, unsubscribe),
    providers=PROVIDERS,
    listeners=LISTENERS,
    jobs=JOBS,
    tags=(("Notifications", "Which mails you get."),),
)
