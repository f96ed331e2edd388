"""``app mail``: mails, and whether mail works."""

import asyncio
import sys
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import click

from app.core import Core
from app.lib.cli.errors import CommandFailed, MissingOrTaken
from app.lib.cli.options import json_option, write_list
from app.lib.cli.running import make_core, run
from app.lib.clock import utc_now
from app.lib.db.base import new_id
from app.lib.mail.bounces import read_bounce
from app.lib.mail.mailer import MailNotFound
from app.lib.mail.message import Mailbox, OutgoingMail, UnsafeHeader, message_id
from app.lib.mail.repository import MailReads
from app.lib.mail.rows import MailStatus
from app.lib.mail.templates import MailTemplates
from app.lib.mail.transports import NotSent

_AT = "2026-01-31T12:00:00+00:00"
_LINKS = "https://lodestar.example/account/"

SAMPLES: Mapping[str, Mapping[str, Any]] = {
    "change_email": {"url": f"{_LINKS}change-email?token=4fGc1XqzR8mWb0YtLh2K"},
    "new_device": {"at": _AT, "device": "Firefox, Linux", "address": "203.0.113.7"},
    "identity_linked": {"at": _AT, "provider": "GitHub"},
    "identity_unlinked": {"at": _AT, "provider": "GitHub"},
    "order_changed": {
        "change": "shipped",
        "number": "1001",
        "amount": "19.90 EUR",
        "is_refunded": "",
        "reason": "",
        "carrier": "DHL",
        "tracking_number": "00340434161094042557",
        "url": "https://track.example.com/00340434161094042557",
    },
    "password_changed": {"at": _AT, "is_recovery": True, "is_taken_back": True},
    "reauthenticate": {"code": "042917"},
    "registered_again": {},
    "reset_password": {"url": f"{_LINKS}reset-password?token=4fGc1XqzR8mWb0YtLh2K"},
    "revert_email": {"url": f"{_LINKS}revert-email?token=4fGc1XqzR8mWb0YtLh2K"},
    "api_key_created": {"at": _AT},
    "second_factor_changed": {"at": _AT, "change": "recovery_code_used", "codes_left": "9"},
    "second_factor_refused": {"at": _AT},
    "session_reused": {"at": _AT},
    "test": {},
    "verify_email": {"url": f"{_LINKS}verify-email?token=4fGc1XqzR8mWb0YtLh2K", "code": "042917"},
    "welcome": {},
}
"""By template: what its context has in addition to what every template has."""
_MAX_LISTED = 10_000
_COLUMNS = {
    "ID": "id",
    "CREATED": "created_at",
    "KIND": "kind",
    "TO": "to_address",
    "STATUS": "status",
    "ATTEMPTS": "attempts",
    "ERROR": "last_error",
}


@click.group()
def mail() -> None:
    """List mails, send them again, and test the mail settings."""


@mail.command()
@click.option("--to", required=True, help="The recipient.")
@click.option("--locale", default="en", show_default=True, help="The language.")
def test(to: str, locale: str) -> None:
    """Send a test mail now, by MAIL_BACKEND, and report the result. Nothing is queued, and no database is needed."""
    core = make_core()
    message = _composed(core, "test", locale, to)
    try:
        asyncio.run(core.mail_transport.send(message))
    except NotSent as exc:
        raise CommandFailed(f"The mail is not sent: {exc.reason}.", "'app config show' has the settings.") from exc
    click.echo(f"A mail to {to} was handed to the {core.mail_transport.name} backend.")


@mail.command()
@click.argument("template", type=click.Choice(sorted(SAMPLES)))
@click.option("--locale", default="en", show_default=True, help="The language.")
@click.option("--html", is_flag=True, help="The HTML part instead of the text.")
def preview(template: str, locale: str, *, html: bool) -> None:
    """Print a mail with sample values."""
    shown = _composed(make_core(), template, locale, "reader@example.com")
    click.echo(shown.html if html else f"Subject: {shown.subject}\n\n{shown.text}", nl=html)


@mail.command("list")
@click.option("--status", type=click.Choice([each.value for each in MailStatus]), help="Only these.")
@click.option("--limit", type=click.IntRange(1, _MAX_LISTED), default=50, show_default=True, help="The maximum number.")
@json_option
def list_mails(status: str | None, limit: int, *, as_json: bool) -> None:
    """List mails, the newest first."""
    wanted = MailStatus(status) if status else None
    write_list(run(lambda core: core.services.build(MailReads).newest(limit, wanted)), _COLUMNS, as_json=as_json)


@mail.command()
@click.argument("mail_id", metavar="ID", type=click.UUID)
def retry(mail_id: UUID) -> None:
    """Send a mail again. A mail with a secret link cannot be sent again: its link is deleted once it is sent."""

    async def work(core: Core) -> None:
        async with core.database.independent() as unit:
            await core.mailer.retry(unit, mail_id)

    run(work)
    click.echo("The mail is queued; a running server or worker sends it.")


@mail.command()
@click.argument("reference", metavar="[ID|MESSAGE-ID]", required=False)
@click.option("--reason", default="", help="What the other server said.")
def bounce(reference: str | None, reason: str) -> None:
    """Record that a mail came back.

    Without a reference, the report itself (RFC 3464) is read from standard input, so that a mail server can pipe
    what comes back into this command. What is no report of a failure is passed over.
    """
    if reference is None:
        report = read_bounce(sys.stdin.buffer.read())
        if report is None:
            click.echo("This is no report of a mail that came back.")
            return
        reference, reason = report.message_id, report.reason

    async def work(core: Core) -> None:
        reads = core.services.build(MailReads)
        try:
            mail_id: UUID | None = UUID(reference)
        except ValueError:
            mail_id = await reads.id_of(reference)
        if mail_id is None or await reads.mail(mail_id) is None:
            raise MailNotFound
        async with core.database.independent() as unit:
            await core.mailer.record_bounce(unit, mail_id, reason)

    run(work)
    click.echo("The bounce is recorded.")


def _composed(core: Core, template: str, locale: str, to: str) -> OutgoingMail:
    words = core.services.get(MailTemplates).render(template, locale, {**SAMPLES[template], "unsubscribe_url": None})
    sender = core.settings.mail_sender
    try:
        recipient = Mailbox(to)
    except UnsafeHeader as exc:
        raise MissingOrTaken("This is no e-mail address.") from exc
    return OutgoingMail(
        sender=sender,
        to=recipient,
        subject=words.subject,
        text=words.text,
        html=words.html,
        locale=core.services.get(MailTemplates).best_locale(locale),
        message_id=message_id(template, str(new_id()), sender.domain),
        date=utc_now(),
    )
