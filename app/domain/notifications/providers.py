from litestar.di import Provide

from app.domain.notifications.repositories import PreferenceReads
from app.domain.notifications.services.mailbox import DevelopmentMailbox
from app.domain.notifications.services.preferences import PreferenceQueries, PreferenceService
from app.lib.db.reader import Reader
from app.lib.db.uow import UnitOfWork
from app.lib.http.injection import Injected
from app.lib.mail.delivery import Composer
from app.lib.mail.repository import MailReads


async def provide_notifications(unit: Injected[UnitOfWork]) -> PreferenceService:
    return PreferenceService(unit)


async def provide_notification_queries(reader: Injected[Reader]) -> PreferenceQueries:
    return PreferenceQueries(PreferenceReads(reader))


async def provide_mailbox(reader: Injected[Reader], mail_composer: Injected[Composer]) -> DevelopmentMailbox:
    return DevelopmentMailbox(MailReads(reader), mail_composer)


PROVIDERS = {
    "notifications": Provide(provide_notifications),
    "notification_queries": Provide(provide_notification_queries),
}
MAILBOX_PROVIDERS = {"mailbox": Provide(provide_mailbox)}
