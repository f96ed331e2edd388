"""``app mail``: mails, and whether mail works."""

import asyncio
import sys
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
@click.argument("template")
@click.option("--locale", default="en", show_default=True, help="The language.")
@click.option("--html", is_flag=True, help="The HTML part instead of the text.")
def preview(template: str, locale: str, *, html: bool) -> None:
    """Print a mail with sample values."""
    core = make_core()
    if template not in (samples := core.services.get(MailTemplates).samples):
        raise click.BadParameter(f"'{template}' is not one of {', '.join(sorted(samples))}.", param_hint="TEMPLATE")
    shown = _composed(core, template, locale, "reader@example.com")
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
    templates = core.services.get(MailTemplates)
    words = templates.render(template, locale, {**templates.samples[template], "unsubscribe_url": None})
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
        locale=templates.best_locale(locale),
        message_id=message_id(template, str(new_id()), sender.domain),
        date=utc_now(),
    )
