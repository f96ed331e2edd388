"""``app openapi``: the committed document."""

from pathlib import Path

import click

from app.asgi import create_app
from app.cli.process import with_throwaway_secret
from app.config import Settings
from app.lib.cli.options import check_option, output_option, render_json, write_document
from app.lib.openapi.document import build_document

COMMITTED = Path("docs/openapi.json")


@click.group()
def openapi() -> None:
    """Export the OpenAPI document."""


@openapi.command()
@output_option
@check_option(COMMITTED)
def export(output: Path | None, *, check: bool) -> None:
    """Write the document of the default settings: sorted, so that it changes only with the API."""
    write_document("openapi", render(), output, committed=COMMITTED if check else None)


def render() -> str:
    """The document as a file holds it."""
    app = create_app(with_throwaway_secret(Settings(environment="test")))
    return render_json(build_document(app, app.state.core.document))
