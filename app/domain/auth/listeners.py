"""What sessions have to do with accounts."""

import msgspec

from app.domain.accounts.events import (
    AddressReplaced,
    PasswordChanged,
    UserDeactivated,
    UserDeleted,
    UserErasing,
    UserRegistered,
)
from app.domain.accounts.repositories.users import EXCESS_HOLDS
from app.domain.accounts.services.queries import AccountQueries
from app.domain.auth.authenticator import SessionAuthenticator
from app.domain.auth.events import (
    ROLE_ACCESS_EVENTS,
    USER_ACCESS_EVENTS,
    AccessChanged,
    ApiKeyRevoked,
    RegisteredAgain,
    SessionReauthenticated,
    SessionsEnded,
)
from app.domain.auth.jobs import mail_link, release_usernames, send_link
from app.domain.auth.repositories.api_keys import REVOKE_KEYS_OF
from app.domain.auth.repositories.erasure import DELETE_CREDENTIALS_OF, FORGET_JOBS, IS_A_JOB_LEFT
from app.domain.auth.repositories.links import DELETE_OTHER_LINKS
from app.domain.auth.repositories.second_factors import DELETE_FACTORS
from app.domain.auth.repositories.sessions import DELETE_OF, HOLD_USER, SessionRepository
from app.domain.auth.services.links import MailedLinks, Purpose
from app.lib import audit
from app.lib.clock import utc_now
from app.lib.db.statements import BATCH
from app.lib.db.uow import UnitOfWork
from app.lib.events import Event, EventEnvelope, after_commit, in_every_process, in_transaction
from app.lib.jobs import JobContext, Postpone
from app.lib.services import Services


@in_transaction(UserDeactivated)
async def end_access_of_deactivated(event: UserDeactivated, unit: UnitOfWork) -> None:
    user_id, now, reason = event.aggregate_id, utc_now(), "deactivated"
    await SessionRepository(unit).revoke_all(user_id, now, reason)
    await unit.execute(REVOKE_KEYS_OF, user_id=user_id, now=now, reason=reason)


@in_transaction(PasswordChanged)
async def end_sessions(event: PasswordChanged, unit: UnitOfWork) -> None:
    await SessionRepository(unit).revoke_all(event.aggregate_id, utc_now(), "password_changed")
    if event.is_recovery:
        await unit.execute(REVOKE_KEYS_OF, user_id=event.aggregate_id, now=utc_now(), reason="password_reset")


@in_transaction(PasswordChanged)
async def revoke_links(event: PasswordChanged, unit: UnitOfWork) -> None:
    """They may have been asked for by a thief, but the one who got an address back by theft has no link to undo it."""
    await unit.execute(DELETE_OTHER_LINKS, user_id=event.aggregate_id, purpose=Purpose.REVERT_EMAIL.value)


@in_transaction(PasswordChanged)
async def remove_factors(event: PasswordChanged, unit: UnitOfWork) -> None:
    if not event.is_taken_back:
        return
    removed = [await unit.execute(each, user_id=event.aggregate_id) for each in DELETE_FACTORS]
    if any(removed):
        await audit.record(unit, "mfa.recovered", audit.SYSTEM, subject_id=event.aggregate_id)


@in_transaction(AddressReplaced)
async def mail_former_address(event: AddressReplaced, unit: UnitOfWork, services: Services) -> None:
    """As where users change it themselves: who took over an administrator takes over no one else unseen."""
    user = await services.build(AccountQueries).find_credentials_of(event.user_id)
    if user is not None:
        former = msgspec.structs.replace(user, email=event.former)
        await services.build(MailedLinks, unit).notify_former(former, was_confirmed=event.was_confirmed)


# Both ways of a registration have one job after the commit, so that their answers take the same time.
@after_commit("auth.confirm_address", UserRegistered)
async def confirm_address(envelope: EventEnvelope[UserRegistered], context: JobContext) -> None:
    """Not of a user whom an administrator has created, who may not know of it yet."""
    if not envelope.event.by_administrator:
        await send_link(envelope.event.aggregate_id, Purpose.VERIFY_EMAIL, context)


@after_commit("auth.registered_again", RegisteredAgain)
async def answer_second_registration(envelope: EventEnvelope[RegisteredAgain], context: JobContext) -> None:
    """A link for an address that is not confirmed; else a notice, at most once a day, because strangers cause it."""
    user_id = envelope.event.aggregate_id
    await release_usernames(context, await context.reader.all(EXCESS_HOLDS, user_id=user_id))
    user = await context.services.build(AccountQueries).find_credentials_of(user_id)
    if user is None or not user.is_verified:
        await send_link(user_id, Purpose.VERIFY_EMAIL, context)
        return
    async with context.unit() as unit:
        if await unit.first(HOLD_USER, user_id=user_id) is not None:
            links = context.services.build(MailedLinks, unit)
            await links.mail("registered_again", user, f"{user_id}:{envelope.created_at:%Y-%m-%d}")


@in_transaction(UserErasing)
async def delete_credentials(event: UserErasing, unit: UnitOfWork) -> None:
    for statement in DELETE_CREDENTIALS_OF:
        await unit.execute(statement, user_id=event.user_id)


@after_commit("auth.forget_addresses", UserDeleted)
async def forget_addresses(envelope: EventEnvelope[UserDeleted], context: JobContext) -> None:
    """Jobs that mailed a link to another address have it in their payload, which is kept for operators."""
    pattern = f"{Purpose.CHANGE_EMAIL}:{envelope.event.aggregate_id}:%"
    theirs = {"name": mail_link.name, "key_pattern": pattern}
    await context.in_batches(lambda unit: unit.execute(FORGET_JOBS, **theirs))
    async with context.unit() as unit:
        if await unit.first(IS_A_JOB_LEFT, **theirs):  # it is running
            raise Postpone(1)


@in_transaction(UserErasing)
async def delete_sessions(event: UserErasing, unit: UnitOfWork) -> None:
    if await unit.execute(DELETE_OF, user_id=event.user_id) == BATCH:
        event.more_is_left()


@in_every_process(SessionsEnded, ApiKeyRevoked, SessionReauthenticated)
def forget_access(event: AccessChanged, authenticator: SessionAuthenticator) -> None:
    authenticator.forget(event.user_id)


@in_every_process(*USER_ACCESS_EVENTS)
def forget_user(event: Event, authenticator: SessionAuthenticator) -> None:
    authenticator.forget(event.aggregate_id)


@in_every_process(*ROLE_ACCESS_EVENTS)
def forget_everyone(_event: Event, authenticator: SessionAuthenticator) -> None:
    authenticator.forget(None)


LISTENERS = (
    end_access_of_deactivated,
    end_sessions,
    revoke_links,
    remove_factors,
    mail_former_address,
    confirm_address,
    answer_second_registration,
    delete_credentials,
    forget_addresses,
    delete_sessions,
    forget_access,
    forget_user,
    forget_everyone,
)
