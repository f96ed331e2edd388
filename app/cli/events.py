"""``app events``: what happened, and replays for listeners."""

from datetime import UTC, datetime

import click

from app.asgi import DOMAINS
from app.background import Background
from app.cli.errors import MissingOrTaken
from app.cli.options import json_option, show_instant, write_list
from app.cli.runtime import run
from app.components import Components
from app.domain.jobs.dtos import EventRead
from app.domain.jobs.repositories import JobReads

_kind_option = click.option("--kind", help="Only events of this kind.")


@click.group()
def events() -> None:
    """List events, and feed them to a new listener."""


@events.command("list")
@_kind_option
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="How many, newest first.")
@json_option
def list_events(kind: str | None, limit: int, *, as_json: bool) -> None:
    """List events, newest first, without what they hold."""
    found = run(lambda components: JobReads(components.database.reader, components.cursors).events(kind, limit))
    write_list(found, ("ID", "KIND", "AGGREGATE", "VERSION", "CREATED"), _row, as_json=as_json)


@events.command()
@click.option("--listener", required=True, help="The listener that gets the jobs.")
@click.option("--since", type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]), help="Only events from then on, UTC.")
@_kind_option
def replay(listener: str, since: datetime | None, kind: str | None) -> None:
    """Give a listener jobs for the events it has had none for. It may be broken off and run again."""

    async def work(components: Components) -> int:
        events = Background(components, DOMAINS).events
        try:
            return await events.replay(
                components.database, listener, since=since.replace(tzinfo=UTC) if since else None, kind=kind
            )
        except LookupError as exc:
            known = ", ".join(sorted(events.jobs)) or "none"
            raise MissingOrTaken(f"There is no listener {listener} for that.", f"Listeners: {known}.") from exc

    count = run(work)
    click.echo(f"{count} event{'' if count == 1 else 's'} will go to {listener}.")


def _row(event: EventRead) -> tuple[str, ...]:
    created = show_instant(event.created_at)
    return (str(event.id), event.kind, str(event.aggregate_id), str(event.aggregate_version), created)
