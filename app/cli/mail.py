"""``app mail``: what was mailed, and whether mail works."""

import asyncio
import sys
from uuid import UUID

import click

from app.cli.errors import CommandFailed, MissingOrTaken
from app.cli.openapi import with_throwaway_secret
from app.cli.options import json_option, show_instant, write_list
from app.cli.runtime import run
from app.components import Components
from app.config import load_settings
from app.domain.notifications.samples import SAMPLES
from app.lib.clock import utc_now
from app.lib.db.base import new_id
from app.lib.mail.bounces import read_bounce
from app.lib.mail.mailer import MailNotFound
from app.lib.mail.message import Mailbox, OutgoingMail, UnsafeHeader, message_id
from app.lib.mail.rows import MailStatus, MailSummary
from app.lib.mail.transports import NotSent

_MAX_LISTED = 10_000


@click.group()
def mail() -> None:
    """See what was mailed, send it again, and try whether mail works."""


@mail.command()
@click.option("--to", required=True, help="Whom to write to.")
@click.option("--locale", default="en", show_default=True, help="In which language.")
def test(to: str, locale: str) -> None:
    """Send a mail right now, by MAIL_BACKEND, and say how that went. Nothing is queued, and no database is needed."""
    components = _without_database()
    message = _composed(components, "test", locale, to)

    async def send() -> None:
        try:
            await components.mail_transport.send(message)
        finally:
            await components.mail_transport.close()

    try:
        asyncio.run(send())
    except NotSent as exc:
        raise CommandFailed(f"The mail is not sent: {exc.reason}.", "'app config show' has the settings.") from exc
    click.echo(f"A mail to {to} was handed to the {components.mail_transport.name} backend.")


@mail.command()
@click.argument("template", type=click.Choice(sorted(SAMPLES)))
@click.option("--locale", default="en", show_default=True, help="In which language.")
@click.option("--html", is_flag=True, help="The HTML part, and not the text.")
def preview(template: str, locale: str, *, html: bool) -> None:
    """Write what a mail says, with sample values."""
    shown = _composed(_without_database(), template, locale, "somebody@example.com")
    click.echo(shown.html if html else f"Subject: {shown.subject}\n\n{shown.text}", nl=html)


@mail.command("list")
@click.option("--status", type=click.Choice([each.value for each in MailStatus]), help="Only these.")
@click.option("--limit", type=click.IntRange(1, _MAX_LISTED), default=50, show_default=True, help="At most so many.")
@json_option
def list_mails(status: str | None, limit: int, *, as_json: bool) -> None:
    """List mails, the newest first."""

    async def work(components: Components) -> list[MailSummary]:
        return await components.mail_reads.newest(limit, MailStatus(status) if status else None)

    found = run(work)
    header = ("ID", "CREATED", "KIND", "TO", "STATUS", "ATTEMPTS", "ERROR")
    write_list(found, header, _row, as_json=as_json)


@mail.command()
@click.argument("mail_id", metavar="ID", type=click.UUID)
def resend(mail_id: UUID) -> None:
    """Send a mail once more. One whose link was secret cannot be: its link is forgotten once it is out."""

    async def work(components: Components) -> None:
        async with components.database.independent() as unit:
            await components.mailer.resend(unit, components.mail_reads, mail_id)

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

    async def work(components: Components) -> None:
        reads = components.mail_reads
        mail_id = _as_id(reference) or await reads.id_of(reference)
        if mail_id is None or await reads.mail(mail_id) is None:
            raise MailNotFound
        async with components.database.independent() as unit:
            await components.mailer.record_bounce(unit, mail_id, reason)

    run(work)
    click.echo("The bounce is recorded.")


def _without_database() -> Components:
    return Components(with_throwaway_secret(load_settings()[0]))


def _composed(components: Components, template: str, locale: str, to: str) -> OutgoingMail:
    words = components.mail_templates.render(template, locale, {**SAMPLES[template], "unsubscribe_url": None})
    sender = components.settings.mail_sender
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
        locale=components.mail_templates.best_locale(locale),
        message_id=message_id(template, str(new_id()), sender.domain),
        date=utc_now(),
    )


def _as_id(reference: str) -> UUID | None:
    try:
        return UUID(reference)
    except ValueError:
        return None


def _row(mail: MailSummary) -> tuple[str, ...]:
    created = show_instant(mail.created_at)
    return (
        str(mail.id), created, mail.kind, mail.to_address, mail.status, str(mail.attempts), mail.last_error or "",
    )  # fmt: skip
