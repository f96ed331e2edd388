"""What sessions have to do with accounts, in the account's own transaction."""

from app.domain.accounts.events import AccessChanged, PasswordChanged, UserDeactivated, UserDeleted
from app.domain.auth.events import RegisteredAgain, RegistrationRepeated, SessionsEnded
from app.domain.auth.repositories import SessionRepository
from app.lib.clock import utc_now
from app.lib.db.uow import UnitOfWork
from app.lib.events import Listener, listens_to
from app.lib.outbox import Outbox


@listens_to(UserDeactivated)
async def end_sessions_of_deactivated(event: UserDeactivated, unit: UnitOfWork) -> None:
    await SessionRepository(unit.session).revoke_all(event.user_id, utc_now(), "deactivated")
    unit.signal(SessionsEnded(event.user_id))


@listens_to(UserDeleted)
async def end_sessions_of_deleted(event: UserDeleted, unit: UnitOfWork) -> None:
    """The rows go with the account."""
    unit.signal(SessionsEnded(event.user_id))


@listens_to(PasswordChanged)
async def end_other_sessions(event: PasswordChanged, unit: UnitOfWork) -> None:
    await SessionRepository(unit.session).revoke_all(
        event.user_id, utc_now(), "password_changed", keep=event.kept_session_id
    )
    unit.signal(SessionsEnded(event.user_id))


@listens_to(AccessChanged)
async def forget_principals(event: AccessChanged, unit: UnitOfWork) -> None:
    unit.signal(event)


def outbox_listeners(outbox: Outbox) -> tuple[Listener, ...]:
    """Listeners that record events in the outbox."""

    @listens_to(RegisteredAgain)
    async def registered_again(event: RegisteredAgain, unit: UnitOfWork) -> None:
        await outbox.record(unit, RegistrationRepeated(aggregate_id=event.user_id, aggregate_version=0))

    return (registered_again,)


LISTENERS = (end_sessions_of_deactivated, end_sessions_of_deleted, end_other_sessions, forget_principals)
