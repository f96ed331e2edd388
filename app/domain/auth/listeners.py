"""What sessions have to do with accounts, in the account's own transaction."""

from app.domain.accounts.events import AccessChanged, PasswordChanged, UserDeactivated, UserDeleted
from app.domain.auth.events import SessionsEnded
from app.domain.auth.repositories import SessionRepository
from app.lib.clock import utc_now
from app.lib.db.uow import UnitOfWork
from app.lib.events import listens_to


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


LISTENERS = (end_sessions_of_deactivated, end_sessions_of_deleted, end_other_sessions, forget_principals)
