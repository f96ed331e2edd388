"""What happens elsewhere and is worth a mail. Each mail is written in the transaction of the event."""

from app.domain.accounts.events import PasswordChanged, UserDeleted, UserRegistered
from app.domain.auth.events import RegisteredAgain, TokenReuseDetected
from app.domain.notifications.services.notices import Notices
from app.lib.db.uow import UnitOfWork
from app.lib.events import in_transaction
from app.lib.mail.mailer import Mailer
from app.lib.mail.repository import MailRepository


@in_transaction(UserRegistered)
async def welcome(event: UserRegistered, unit: UnitOfWork, mailer: Mailer) -> None:
    """Not after an administrator has created the user, who may not know of it yet."""
    if not event.by_administrator:
        await Notices(unit, mailer).welcome(event.aggregate_id)


@in_transaction(RegisteredAgain)
async def notify_of_registration(event: RegisteredAgain, unit: UnitOfWork, mailer: Mailer) -> None:
    await Notices(unit, mailer).registered_again(event.aggregate_id)


@in_transaction(PasswordChanged)
async def notify_of_password(event: PasswordChanged, unit: UnitOfWork, mailer: Mailer) -> None:
    await Notices(unit, mailer).password_changed(event.aggregate_id, event.aggregate_version)


@in_transaction(TokenReuseDetected)
async def notify_of_reuse(event: TokenReuseDetected, unit: UnitOfWork, mailer: Mailer) -> None:
    await Notices(unit, mailer).session_reused(event.user_id, event.aggregate_id)


@in_transaction(UserDeleted)
async def delete_mails(event: UserDeleted, unit: UnitOfWork) -> None:
    """The preferences go by their foreign key."""
    await MailRepository(unit).delete_of(event.aggregate_id)


LISTENERS = (welcome, notify_of_registration, notify_of_password, notify_of_reuse, delete_mails)
