"""Notifications: mails about events, and what users can unsubscribe from."""

from pathlib import Path

from app.domain.notifications.build import build
from app.domain.notifications.controllers.mailbox import mailbox_router
from app.domain.notifications.controllers.preferences import NotificationController
from app.domain.notifications.controllers.unsubscribe import show_unsubscribe_page, unsubscribe
from app.domain.notifications.exports import EXPORTS
from app.domain.notifications.listeners import LISTENERS
from app.domain.notifications.steps import STEPS
from app.lib.domain import Domain, Link
from app.lib.http.developers import is_for_developer

notifications = Domain(
    name="notifications",
    exports=EXPORTS,
    build=build,
    controllers=(NotificationController, show_unsubscribe_page, unsubscribe),
    listeners=LISTENERS,
    mail_templates=(Path(__file__).parent / "templates",),
    links=(Link("mailbox", "Mails of this development server", may_open=is_for_developer),),
    development_handlers=lambda: (mailbox_router,),
    steps=STEPS,
    tag_group="Account",
    tags=(("Notifications", "Which mails a user receives."),),
)
