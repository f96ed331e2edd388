"""``app openapi`` and ``app asyncapi``: the committed documents."""

import secrets
from pathlib import Path
from typing import Any

import click
import msgspec

from app.asgi import create_app, openapi_document, realtime_document
from app.cli.errors import CommandFailed
from app.config import Settings
from app.lib.settings import Secret

COMMITTED = Path("docs/openapi.json")
COMMITTED_ASYNCAPI = Path("docs/asyncapi.json")

_output = click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), help="File to write; default: print it."
)
_NO_CHANGE = "Write nothing; fail when the file (default {}) is stale."


@click.group()
def openapi() -> None:
    """Export the OpenAPI document."""


@openapi.command()
@_output
@click.option("--check", is_flag=True, help=_NO_CHANGE.format(COMMITTED))
def export(output: Path | None, *, check: bool) -> None:
    """Write the document of the default settings: sorted, so that it changes only with the API."""
    _export("openapi", render(), output, check=COMMITTED if check else None)


@click.group()
def asyncapi() -> None:
    """Export the AsyncAPI document."""


@asyncapi.command("export")
@_output
@click.option("--check", is_flag=True, help=_NO_CHANGE.format(COMMITTED_ASYNCAPI))
def export_asyncapi(output: Path | None, *, check: bool) -> None:
    """Write the document of the default settings: sorted, so that it changes only with the frames."""
    _export("asyncapi", render_asyncapi(), output, check=COMMITTED_ASYNCAPI if check else None)


def _export(command: str, document: str, output: Path | None, *, check: Path | None) -> None:
    if check is not None:
        _check(command, output or check, document)
    elif output is None:
        click.echo(document, nl=False)
    else:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(document, encoding="utf-8")


def render() -> str:
    """The document as a file holds it."""
    app = create_app(with_throwaway_secret(Settings(environment="test")))
    return _readable(openapi_document(app))


def render_asyncapi() -> str:
    """The other document as a file holds it."""
    return _readable(realtime_document(Settings(environment="test")))


def _readable(document: dict[str, Any]) -> str:
    return msgspec.json.format(msgspec.json.encode(document, order="sorted"), indent=2).decode() + "\n"


def with_throwaway_secret(settings: Settings) -> Settings:
    """Settings for an app that only describes itself, so that no secret need be kept for it."""
    return msgspec.structs.replace(settings, secret_key=settings.secret_key or Secret(secrets.token_urlsafe(48)))


def _check(command: str, path: Path, document: str) -> None:
    if not path.is_file() or path.read_text(encoding="utf-8") != document:
        raise CommandFailed(f"{path} is stale.", f"Run 'app {command} export --output {path}'.")
    click.echo(f"{path} is up to date.")
