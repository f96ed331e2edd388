"""``app asyncapi``: the committed document of channels."""

from pathlib import Path

import click

from app.config import Settings
from app.domain.realtime.asyncapi import realtime_document
from app.lib.cli.options import check_option, output_option, render_json, write_document

COMMITTED = Path("docs/asyncapi.json")


@click.group()
def asyncapi() -> None:
    """Export the AsyncAPI document of realtime channels."""


@asyncapi.command()
@output_option
@check_option(COMMITTED)
def export(output: Path | None, *, check: bool) -> None:
    """Write the document of the default settings: sorted, so that it changes only with the frames."""
    write_document("asyncapi", render(), output, committed=COMMITTED if check else None)


def render() -> str:
    """The document as a file holds it."""
    return render_json(realtime_document(Settings(environment="test")))
