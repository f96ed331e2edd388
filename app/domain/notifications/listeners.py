"""What happens elsewhere and is worth a mail."""

from app.domain.accounts.events import PasswordChanged, UserDeleted, UserRegistered
from app.domain.auth.events import RegisteredAgain, TokenReuseDetected
from app.domain.notifications.services.notices import Notices
from app.lib.db.uow import UnitOfWork
from app.lib.events import Listener, listens_to
from app.lib.mail.mailer import Mailer
from app.lib.mail.repository import MailRepository


def notification_listeners(mailer: Mailer) -> tuple[Listener, ...]:
    """Each writes its mail into the transaction of the event, so that both are committed or neither."""

    @listens_to(UserRegistered)
    async def welcome(event: UserRegistered, unit: UnitOfWork) -> None:
        await Notices(unit, mailer).welcome(event.user_id)

    @listens_to(RegisteredAgain)
    async def tell_the_owner(event: RegisteredAgain, unit: UnitOfWork) -> None:
        await Notices(unit, mailer).registered_again(event.user_id)

    @listens_to(PasswordChanged)
    async def tell_of_the_password(event: PasswordChanged, unit: UnitOfWork) -> None:
        await Notices(unit, mailer).password_changed(event.user_id)

    @listens_to(TokenReuseDetected)
    async def tell_of_the_reuse(event: TokenReuseDetected, unit: UnitOfWork) -> None:
        await Notices(unit, mailer).session_reused(event.user_id, event.session_id)

    return welcome, tell_the_owner, tell_of_the_password, tell_of_the_reuse, forget_mails


@listens_to(UserDeleted)
async def forget_mails(event: UserDeleted, unit: UnitOfWork) -> None:
    """Their mails go with the account; the preferences go by their foreign key."""
    await MailRepository(unit.session).delete_of(event.user_id)
