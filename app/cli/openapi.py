"""``app openapi``: the committed document."""

import secrets
from pathlib import Path

import click
import msgspec

from app.asgi import create_app, openapi_document
from app.cli.errors import CommandFailed
from app.config import Settings
from app.lib.settings import Secret

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
        _check(output or COMMITTED, document)
    elif output is None:
        click.echo(document, nl=False)
    else:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(document, encoding="utf-8")


def render() -> str:
    """The document as a file holds it."""
    app = create_app(with_throwaway_secret(Settings(environment="test")))
    document = msgspec.json.encode(openapi_document(app), order="sorted")
    return msgspec.json.format(document, indent=2).decode() + "\n"


def with_throwaway_secret(settings: Settings) -> Settings:
    """Settings for an app that only describes itself, so that no secret need be kept for it."""
    return msgspec.structs.replace(settings, secret_key=settings.secret_key or Secret(secrets.token_urlsafe(48)))


def _check(path: Path, document: str) -> None:
    if not path.is_file() or path.read_text(encoding="utf-8") != document:
        raise CommandFailed(f"{path} is stale.", f"Run 'app openapi export --output {path}'.")
    click.echo(f"{path} is up to date.")
