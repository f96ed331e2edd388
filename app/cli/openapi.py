"""``app openapi``: the document of the API."""

from pathlib import Path
from typing import Any

import click
import msgspec

from app.asgi import create_app
from app.cli.process import with_throwaway_secret
from app.config import Settings
from app.lib.openapi.document import DocumentInfo, build_document


@click.group()
def openapi() -> None:
    """Export the OpenAPI document."""


@openapi.command()
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="File to write; default: print it.")
def export(output: Path | None) -> None:
    """Write the document of the default settings: sorted, so that it changes only with the API. A checkout keeps it,
    see `app docs export`.
    """
    document = render()
    if output is None:
        click.echo(document, nl=False)
    else:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(document, encoding="utf-8")


def render() -> str:
    """The document as a file holds it: characters that cannot be seen, which some patterns name, are escaped."""
    text = msgspec.json.format(msgspec.json.encode(described(), order="sorted"), indent=2).decode() + "\n"
    return "".join(each if each.isprintable() or each == "\n" else f"\\u{ord(each):04x}" for each in text)


def described() -> dict[str, Any]:
    """The document of the default settings."""
    app = create_app(with_throwaway_secret(Settings(environment="test")))
    return build_document(app, app.state.core.services.get(DocumentInfo))
