from uuid import UUID

from app.domain.notifications.repositories import Recipient, RecipientRepository
from app.domain.notifications.topics import Topic
from app.lib.clock import utc_now
from app.lib.db.uow import UnitOfWork
from app.lib.mail.mailer import Mailer, NewMail


class Notices:
    """What is mailed, to whom and when; each in the transaction of what happened.

    No mail says a person's name, because whoever registers a stranger's address chooses one, and must not get their
    own words into the stranger's mail.
    """

    def __init__(self, unit: UnitOfWork, mailer: Mailer) -> None:
        self.unit = unit
        self.mailer = mailer
        self.recipients = RecipientRepository(unit.session)

    async def welcome(self, user_id: UUID) -> None:
        """Once for each account."""
        if recipient := await self.recipients.find(user_id):
            await self._tell(recipient, "welcome", str(user_id), topic=Topic.GETTING_STARTED)

    async def registered_again(self, user_id: UUID) -> None:
        """At most once a day, because strangers cause it."""
        if recipient := await self.recipients.find(user_id):
            await self._tell(recipient, "registered_again", f"{user_id}:{utc_now():%Y-%m-%d}")

    async def password_changed(self, user_id: UUID) -> None:
        """Once for each change, which the account's version counts."""
        if recipient := await self.recipients.find(user_id):
            await self._tell(recipient, "password_changed", f"{user_id}:{recipient.version}", at=_now())

    async def session_reused(self, user_id: UUID, session_id: UUID) -> None:
        """Once for each session, as it ends by this."""
        if recipient := await self.recipients.find(user_id):
            await self._tell(recipient, "session_reused", str(session_id), at=_now())

    async def _tell(
        self, recipient: Recipient, kind: str, business_id: str, *, topic: Topic | None = None, **context: str
    ) -> None:
        await self.mailer.queue(
            self.unit,
            NewMail(
                kind=kind,
                business_id=business_id,
                user_id=recipient.id,
                to_address=recipient.email,
                locale=recipient.locale,
                template=kind,
                topic=topic.value if topic else None,
                context=context,
            ),
        )


def _now() -> str:
    return utc_now().isoformat(timespec="seconds")
