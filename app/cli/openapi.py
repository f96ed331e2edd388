"""``app openapi``: the committed document."""

from pathlib import Path

import click
import msgspec

from app.asgi import create_app
from app.cli.process import with_throwaway_secret
from app.config import Settings
from app.lib.cli.errors import CommandFailed
from app.lib.openapi.document import DocumentInfo, build_document

COMMITTED = Path("docs/openapi.json")


@click.group()
def openapi() -> None:
    """Export the OpenAPI document."""


@openapi.command()
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="File to write; default: print it.")
@click.option("--check", is_flag=True, help=f"Write nothing; fail when the file (default {COMMITTED}) is stale.")
def export(output: Path | None, *, check: bool) -> None:
    """Write the document of the default settings: sorted, so that it changes only with the API."""
    document = render()
    if check:
        path = output or COMMITTED
        if not path.is_file() or path.read_text(encoding="utf-8") != document:
            raise CommandFailed(f"{path} is stale.", f"Run 'app openapi export --output {path}'.")
        click.echo(f"{path} is up to date.")
    elif output is None:
        click.echo(document, nl=False)
    else:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(document, encoding="utf-8")


def render() -> str:
    """The document as a file holds it: characters that cannot be seen, which some patterns name, are escaped."""
    app = create_app(with_throwaway_secret(Settings(environment="test")))
    document = msgspec.json.encode(build_document(app, app.state.core.services.get(DocumentInfo)), order="sorted")
    text = msgspec.json.format(document, indent=2).decode() + "\n"
    return "".join(each if each.isprintable() or each == "\n" else f"\\u{ord(each):04x}" for each in text)
