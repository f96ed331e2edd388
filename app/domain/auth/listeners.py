"""What sessions have to do with accounts."""

from app.domain.accounts.events import PasswordChanged, UserDeactivated, UserErasing
from app.domain.auth.authenticator import SessionAuthenticator
from app.domain.auth.events import ROLE_ACCESS_EVENTS, USER_ACCESS_EVENTS, SessionsEnded
from app.domain.auth.repositories import DELETE_OF, SessionRepository
from app.lib.clock import utc_now
from app.lib.db.statements import BATCH
from app.lib.db.uow import UnitOfWork
from app.lib.events import Event, in_every_process, in_transaction


@in_transaction(UserDeactivated)
async def end_sessions_of_deactivated(event: UserDeactivated, unit: UnitOfWork) -> None:
    await SessionRepository(unit).revoke_all(event.aggregate_id, utc_now(), "deactivated")


@in_transaction(PasswordChanged)
async def end_other_sessions(event: PasswordChanged, unit: UnitOfWork) -> None:
    await SessionRepository(unit).revoke_all(
        event.aggregate_id, utc_now(), "password_changed", keep=event.kept_session_id
    )


@in_transaction(UserErasing)
async def delete_sessions(event: UserErasing, unit: UnitOfWork) -> None:
    if await unit.execute(DELETE_OF, user_id=event.user_id) == BATCH:
        event.more_is_left()


@in_every_process(SessionsEnded)
def forget_session(event: SessionsEnded, authenticator: SessionAuthenticator) -> None:
    authenticator.forget(event.user_id)


@in_every_process(*USER_ACCESS_EVENTS)
def forget_user(event: Event, authenticator: SessionAuthenticator) -> None:
    authenticator.forget(event.aggregate_id)


@in_every_process(*ROLE_ACCESS_EVENTS)
def forget_everyone(_event: Event, authenticator: SessionAuthenticator) -> None:
    authenticator.forget(None)


LISTENERS = (
    end_sessions_of_deactivated,
    end_other_sessions,
    delete_sessions,
    forget_session,
    forget_user,
    forget_everyone,
)
