from uuid import UUID

from app.domain.notifications.repositories import RecipientRepository
from app.domain.notifications.topics import Topic
from app.lib.db.uow import UnitOfWork
from app.lib.mail.mailer import Mailer, NewMail


async def notify(
    unit: UnitOfWork,
    mailer: Mailer,
    user_id: UUID,
    kind: str,
    business_id: str,
    *,
    topic: Topic | None = None,
    **context: str,
) -> None:
    """Queues a mail to a user in the transaction of its cause; the same ``kind`` and ``business_id`` queue it once.

    No mail has a person's name: anyone can register a stranger's address, and must not get words of their own into the
    stranger's mail.
    """
    recipient = await RecipientRepository(unit).find(user_id)
    if recipient is None:
        return
    mail = NewMail(
        kind=kind,
        business_id=business_id,
        user_id=recipient.id,
        to_address=recipient.email,
        locale=recipient.locale,
        template=kind,
        topic=topic.value if topic else None,
        context=context,
    )
    await mailer.queue(unit, mail)
