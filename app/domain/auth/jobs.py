from collections.abc import Iterable, Sequence
from uuid import UUID

import msgspec

from app.domain.accounts.repositories.users import EXPIRED_HOLDS
from app.domain.accounts.rows import HoldRow
from app.domain.accounts.services.queries import AccountQueries
from app.domain.accounts.services.users import UserService
from app.domain.accounts.settings import AccountSettings
from app.domain.auth.repositories.api_keys import PURGE_KEYS
from app.domain.auth.repositories.links import PURGE_LINKS
from app.domain.auth.repositories.mfa_tokens import PURGE_TOKENS
from app.domain.auth.repositories.passkeys import PURGE_CHALLENGES
from app.domain.auth.repositories.sessions import HOLD_USER, PURGE, SESSION, SIGN_IN_FROM
from app.domain.auth.services.devices import device_name
from app.domain.auth.services.links import LinkThrottle, MailedLinks, Purpose
from app.lib import audit
from app.lib.clock import utc_now
from app.lib.errors import RateLimited
from app.lib.jobs import Cron, JobContext, NoPayload, job
from app.lib.ratelimit.limiter import Limit, NamedLimit, RateLimiter
from app.lib.security.emails import lookup_key
from app.lib.security.opaque import digest


class MailLink(msgspec.Struct, frozen=True):
    """``user_id`` is None where there is nothing to mail: the request that enqueues it must not take less time then.
    ``address`` is where to, if not to the user's own. ``asked`` is a digest of the name that was typed: unknown names
    must not share one key, because a job that waits already costs less than a new one. ``session_id`` is whose wish it
    was, where it was one of a user who is signed in: none of a session that has ended in the meantime is granted.
    """

    user_id: UUID | None
    purpose: Purpose
    address: str = ""
    asked: str = ""
    session_id: UUID | None = None


@job(
    "auth.mail_link",
    MailLink,
    key=lambda each: f"{each.purpose}:{each.asked or each.user_id}:{digest(each.address).hex()}",
)
async def mail_link(payload: MailLink, context: JobContext) -> None:
    if payload.user_id is not None:
        await send_link(payload.user_id, payload.purpose, context, payload.address, payload.session_id)


async def send_link(
    user_id: UUID, purpose: Purpose, context: JobContext, address: str = "", session_id: UUID | None = None
) -> None:
    """Mails a link to a user who can use it, unless they were sent many in the last hour."""
    accounts = context.services.build(AccountQueries)
    if address and await accounts.find_credentials(lookup_key(address)):
        return
    user = await accounts.find_credentials_of(user_id)
    if user is None or not user.is_active or (purpose is Purpose.VERIFY_EMAIL and user.is_verified):
        return
    try:
        await context.services.build(LinkThrottle).check(f"sent\n{purpose}\n{user_id}", None)
    except RateLimited:
        return
    async with context.unit() as unit:
        if await unit.first(HOLD_USER, user_id=user_id) is None:
            return
        if session_id is not None:
            session = await unit.first(SESSION, session_id=session_id)
            if session is None or session.revoked_at is not None:
                return
        links = context.services.build(MailedLinks, unit)
        await links.send(purpose, user, context.job_id, address=address, session_id=session_id)


class NewDevice(msgspec.Struct, frozen=True):
    """A user has signed in from a device that is not known."""

    user_id: UUID
    device_key: bytes


_NEW_DEVICES = NamedLimit("new_device", Limit.parse("5 per day"))
"""Mails to one user. A thief who uses more devices does not hide the first ones."""


@job("auth.new_device", NewDevice, key=lambda each: f"{each.user_id}:{each.device_key.hex()}")
async def mail_new_device(payload: NewDevice, context: JobContext) -> None:
    """Says when, from where and with what someone has signed in, once a day for each device."""
    user_id = payload.user_id
    user = await context.services.build(AccountQueries).find_credentials_of(user_id)
    if user is None or not (await context.service(RateLimiter).hit(_NEW_DEVICES, str(user_id))).allowed:
        return
    async with context.unit() as unit:
        if await unit.first(HOLD_USER, user_id=user_id) is None:
            return
        found = await unit.first(SIGN_IN_FROM, user_id=user_id, device_key=payload.device_key)
        if found is not None:
            shown = {
                "at": found.created_at.isoformat(timespec="seconds"),
                "address": found.address,
                "device": device_name(found.user_agent),
            }
            business_id = f"{user_id}:{payload.device_key.hex()}:{found.created_at:%Y-%m-%d}"
            await context.services.build(MailedLinks, unit).mail("new_device", user, business_id, context=shown)


@job("sessions.purge", NoPayload, schedule=Cron("37 * * * *"), timeout=600)
async def purge_sessions(_payload: NoPayload, context: JobContext) -> None:
    now = utc_now()
    await context.in_batches(lambda unit: unit.execute(PURGE, now=now))
    await context.in_batches(lambda unit: unit.execute(PURGE_LINKS, now=now))
    await context.in_batches(lambda unit: unit.execute(PURGE_CHALLENGES, now=now))
    await context.in_batches(lambda unit: unit.execute(PURGE_KEYS, now=now))
    await context.in_batches(lambda unit: unit.execute(PURGE_TOKENS, now=now))
    expired: Sequence[HoldRow] | None = None
    while expired is None or expired:
        async with context.unit() as unit:
            expired = await unit.all(EXPIRED_HOLDS, now=now)
        await release_usernames(context, expired)


async def release_usernames(context: JobContext, holds: Iterable[HoldRow]) -> None:
    """Makes usernames free again that registrations have reserved, each in its own transaction."""
    keeps_own = not context.service(AccountSettings).require_verified_email
    for each in holds:
        async with context.unit() as unit:
            users = context.services.build(UserService, unit, audit.SYSTEM)
            await users.release_username(each, keeps_own=keeps_own)


LINK_REQUESTED = "link.requested"

JOBS = (mail_link, mail_new_device, purge_sessions)
