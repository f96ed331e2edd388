"""``app audit``: the audit log, and whether it is as it was written."""

import re
from datetime import UTC, datetime
from uuid import UUID

import click

from app.domain.audit.services import AuditQueries
from app.domain.audit.settings import AuditSettings
from app.lib.audit.verify import Head, verify
from app.lib.cli.errors import CommandFailed
from app.lib.cli.options import json_option, write_json, write_list
from app.lib.cli.running import run
from app.lib.pagination.parameters import PageRequest

_COLUMNS = {
    "CREATED": "created_at",
    "KIND": "kind",
    "ACTOR": "actor_id",
    "SUBJECT": "subject_id",
    "ADDRESS": "address",
    "STREAM": "stream",
    "SEQ": "seq",
}
_PLACE = {"STREAM": "stream", "SEGMENT": "segment", "SEQ": "seq", "PROBLEM": "problem"}
_SEQ = re.compile(r"[0-9]{1,19}")
_INSTANT = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"])


@click.group()
def audit() -> None:
    """List the audit log, and verify its chain."""


@audit.command("list")
@click.option("--kind", multiple=True, help="Only of this kind; repeat for any of several.")
@click.option("--actor", type=click.UUID, help="Only what this user did.")
@click.option("--subject", type=click.UUID, help="Only what was done to this user or thing.")
@click.option("--session", type=click.UUID, help="Only what was done in this session.")
@click.option("--address", help="Only from this client address.")
@click.option("--after", type=_INSTANT, help="Only from this instant on, UTC.")
@click.option("--before", type=_INSTANT, help="Only before this instant, UTC.")
@click.option("--limit", type=click.IntRange(1, 100), default=50, show_default=True, help="How many, newest first.")
@json_option
def list_events(
    kind: tuple[str, ...],
    actor: UUID | None,
    subject: UUID | None,
    session: UUID | None,
    address: str | None,
    after: datetime | None,
    before: datetime | None,
    limit: int,
    *,
    as_json: bool,
) -> None:
    """List events, newest first."""
    filters = {
        "kind": kind,
        "actor_id": actor,
        "subject_id": subject,
        "session_id": session,
        "address": [address] if address else None,
        "created_after": after.replace(tzinfo=UTC) if after else None,
        "created_before": before.replace(tzinfo=UTC) if before else None,
    }
    request = PageRequest(page_size=limit, include_total=False)
    page = run(lambda core: core.services.build(AuditQueries).list(request, None, filters))
    write_list(page.items, _COLUMNS, as_json=as_json)


@audit.command("verify")
@click.option("--expect", metavar="STREAM:SEQ:HASH", help="A head that was kept elsewhere: it must still be there.")
@json_option
def verify_chain(expect: str | None, *, as_json: bool) -> None:
    """Verify that no event was changed, removed, added or moved. Exit code 1 when one was.

    Keep the heads that it writes in another place, and give them to it with --expect: only so can it see that the end
    of the log was cut off, or that the whole log was written again.
    """
    expected = _head_of(expect) if expect else None
    report = run(lambda core: verify(core.database.reader, core.services.get(AuditSettings).days, expected))
    if as_json:
        write_json(report)
    else:
        if report.findings:
            write_list(report.findings, _PLACE, as_json=False)
        for head in report.heads:
            click.echo(f"head {head}")
        events = f"{report.events} events in {report.segments} segments ({report.dropped} dropped)"
        click.echo(f"{events}, {report.waiting} wait for the chain.")
    if report.wrong:
        raise CommandFailed(f"The audit log is not as it was written: {report.wrong} findings.")


def _head_of(text: str) -> Head:
    stream, _, rest = text.partition(":")
    seq, _, digest = rest.partition(":")
    if not (_SEQ.fullmatch(seq) and int(seq) < 2**63 and digest):
        raise click.UsageError(
            "--expect is like lasting:42:0f3c…, as 'app audit verify' writes it; the number has at most 63 bits."
        )
    return Head(stream, int(seq), digest)
