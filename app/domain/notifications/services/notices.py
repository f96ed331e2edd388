from uuid import UUID

from app.domain.notifications.repositories import RecipientRepository
from app.domain.notifications.topics import Topic
from app.lib.clock import utc_now
from app.lib.db.uow import UnitOfWork
from app.lib.mail.mailer import Mailer, NewMail


class Notices:
    """The mails of this service, each queued in the transaction of its cause.

    No mail has a person's name: anyone can register a stranger's address, and must not get words of their own into the
    stranger's mail.
    """

    def __init__(self, unit: UnitOfWork, mailer: Mailer) -> None:
        self.unit = unit
        self.mailer = mailer
        self._recipients = RecipientRepository(unit)

    async def welcome(self, user_id: UUID) -> None:
        """Once for each user."""
        await self._queue(user_id, "welcome", str(user_id), topic=Topic.GETTING_STARTED)

    async def registered_again(self, user_id: UUID) -> None:
        """At most once a day, because strangers cause it."""
        await self._queue(user_id, "registered_again", f"{user_id}:{utc_now():%Y-%m-%d}")

    async def password_changed(self, user_id: UUID, version: int) -> None:
        """Once for each change, which the user's version counts."""
        await self._queue(user_id, "password_changed", f"{user_id}:{version}", at=_now())

    async def session_reused(self, user_id: UUID, session_id: UUID) -> None:
        """Once for each session, which ends by this."""
        await self._queue(user_id, "session_reused", str(session_id), at=_now())

    async def _queue(
        self, user_id: UUID, kind: str, business_id: str, *, topic: Topic | None = None, **context: str
    ) -> None:
        recipient = await self._recipients.find(user_id)
        if recipient is None:
            return
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
