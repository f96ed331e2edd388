"""What happens elsewhere and is worth a mail. Each mail is written in the transaction of the event."""

from uuid import UUID

from app.domain.accounts.events import PasswordChanged, UserErasing
from app.domain.auth.events import (
    ApiKeyCreated,
    EmailVerified,
    SecondFactorChanged,
    SecondFactorRefused,
    TokenReuseDetected,
)
from app.domain.notifications.dtos import Topic
from app.domain.notifications.repositories import HAS_PASSWORD, RECIPIENT
from app.lib.clock import utc_now
from app.lib.db.base import new_id
from app.lib.db.statements import BATCH
from app.lib.db.uow import UnitOfWork
from app.lib.events import in_transaction
from app.lib.mail.mailer import Mailer, NewMail
from app.lib.mail.repository import DELETE_MAILS_OF


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
    recipient = await unit.first(RECIPIENT, user_id=user_id)
    if recipient is None:
        return
    mail = NewMail.to(recipient, kind, business_id, topic=topic.value if topic else None, context=context)
    await mailer.queue(unit, mail)


def _now() -> str:
    return utc_now().isoformat(timespec="seconds")


@in_transaction(EmailVerified)
async def welcome(event: EmailVerified, unit: UnitOfWork, mailer: Mailer) -> None:
    """Once, and not earlier: the address may have been a stranger's until then."""
    user_id = event.aggregate_id
    has_password = "yes" if await unit.first(HAS_PASSWORD, user_id=user_id) else ""
    await notify(unit, mailer, user_id, "welcome", str(user_id), topic=Topic.GETTING_STARTED, has_password=has_password)


@in_transaction(PasswordChanged)
async def password_changed(event: PasswordChanged, unit: UnitOfWork, mailer: Mailer) -> None:
    user_id = event.aggregate_id
    business_id = f"{user_id}:{event.aggregate_version}"
    how = {name: "yes" if getattr(event, name) else "" for name in ("is_recovery", "is_taken_back")}
    await notify(unit, mailer, user_id, "password_changed", business_id, topic=None, at=_now(), **how)


@in_transaction(ApiKeyCreated)
async def api_key_created(event: ApiKeyCreated, unit: UnitOfWork, mailer: Mailer) -> None:
    """Not for service accounts, which have no address."""
    await notify(unit, mailer, event.user_id, "api_key_created", str(event.aggregate_id), at=_now())


@in_transaction(TokenReuseDetected)
async def session_reused(event: TokenReuseDetected, unit: UnitOfWork, mailer: Mailer) -> None:
    """Once for each session, which ends by this."""
    await notify(unit, mailer, event.user_id, "session_reused", str(event.aggregate_id), at=_now())


@in_transaction(SecondFactorChanged)
async def second_factor_changed(event: SecondFactorChanged, unit: UnitOfWork, mailer: Mailer) -> None:
    user_id, left = event.aggregate_id, str(event.codes_left)
    what = event.change.value
    await notify(unit, mailer, user_id, "second_factor_changed", str(new_id()), change=what, codes_left=left, at=_now())


@in_transaction(SecondFactorRefused)
async def second_factor_refused(event: SecondFactorRefused, unit: UnitOfWork, mailer: Mailer) -> None:
    """At most once a day, because strangers cause it."""
    user_id = event.aggregate_id
    await notify(unit, mailer, user_id, "second_factor_refused", f"{user_id}:{utc_now():%Y-%m-%d}", at=_now())


@in_transaction(UserErasing)
async def delete_mails(event: UserErasing, unit: UnitOfWork) -> None:
    """The preferences go by their foreign key."""
    if await unit.execute(DELETE_MAILS_OF, user_id=event.user_id) == BATCH:
        event.more_is_left()


LISTENERS = (
    welcome,
    password_changed,
    api_key_created,
    second_factor_changed,
    second_factor_refused,
    session_reused,
    delete_mails,
)
