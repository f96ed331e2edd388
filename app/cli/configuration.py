"""``app config``: the settings, where each comes from, and an example file."""

from typing import Any

import click
import msgspec

from app.asgi import DOMAINS, load_settings
from app.config import Settings
from app.core import Core
from app.environment import misspelt_names
from app.lib.cli.options import json_option, write_json, write_table
from app.lib.db.url import DatabaseURL
from app.lib.settings import ByteSize, described_fields, variable_name

_EXAMPLE_HEAD = """\
# Settings of the service, with their defaults. Copy this file to .env and uncomment what you change.
# Lists are separated by commas. NAME_FILE=/path reads NAME from a file. The environment wins over .env.
# Written by `app config example`.
"""


@click.group()
def configuration() -> None:
    """Show the settings."""


@configuration.command()
@json_option
def show(*, as_json: bool) -> None:
    """Show every setting, its value and where that comes from. Secrets and passwords are masked."""
    settings, origins = load_settings()
    shown = [
        {
            "name": (name := variable_name(field.name)),
            "value": masked(field.name, getattr(part, field.name)),
            "origin": origins[name],
            "description": description(field),
        }
        for part in (settings, *settings.sections.values())
        for field in described_fields(type(part))
    ]
    if as_json:
        write_json(shown)
    else:
        write_table(("NAME", "VALUE", "ORIGIN"), [(s["name"], as_text(s["value"]), s["origin"]) for s in shown])
        if not settings.database.is_sqlite:
            click.echo(f"\n{connections_in_words(settings)}")
    for remark in misspelt_names(setting_kinds()):
        click.echo(f"{remark}.", err=True)


@configuration.command()
def example() -> None:
    """Write an .env file with every setting, its meaning and its default."""
    click.echo(example_file(), nl=False)


def setting_kinds() -> list[type[msgspec.Struct]]:
    """The Structs of all settings."""
    return [Settings, *(domain.settings for domain in DOMAINS if domain.settings)]


def most_connections(settings: Settings) -> int:
    """PostgreSQL connections that all workers together open at most, and an `app worker` where jobs run apart."""
    return settings.pool_sizes.processes * settings.pool_sizes.total


def connections_in_words(settings: Settings) -> str:
    """What the processes of these settings open."""
    apart = " and an `app worker`" if settings.pool_sizes.processes > settings.workers else ""
    sentence = f"{settings.workers} worker(s){apart} open up to {most_connections(settings)} PostgreSQL connections."
    return f"{sentence} Each further `app worker`: {settings.pool_sizes.total}." if apart else sentence


async def check_connections(core: Core) -> tuple[str, str | None] | None:
    """What PostgreSQL has for these processes and further ones, and what to do where that is too little."""
    allowed = await core.database.max_connections()
    if allowed is None:
        return None
    most, each = most_connections(core.settings), core.settings.pool_sizes.total
    if most > allowed:
        hint = "Set DATABASE_POOL_SIZE lower, or WORKERS, or the server's max_connections higher."
        return f"up to {most} of {allowed}", hint
    return f"up to {most} of {allowed}; {(allowed - most) // each} more `app worker` of up to {each} fit", None


def example_file() -> str:
    """The text of ``.env.example``: the settings of the process, then those of each domain."""
    parts = [
        f"# {description(field)}\n#{variable_name(field.name)}={as_text(plain(field.default))}\n"
        for kind in setting_kinds()
        for field in described_fields(kind)
    ]
    return "\n".join((_EXAMPLE_HEAD, *parts))


def description(field: msgspec.structs.FieldInfo) -> str:
    """The sentence that the field's type carries."""
    info: Any = msgspec.inspect.type_info(field.type)
    text: str = info.extra_json_schema["description"]
    return text


def masked(name: str, value: Any) -> Any:
    """The value as JSON may show it."""
    if name in {"database_url", "database_direct_url"} and value:
        return DatabaseURL.parse(value).masked
    return plain(value)


def plain(value: Any) -> Any:
    """As JSON has it."""
    return msgspec.to_builtins(value, enc_hook=lambda other: int(other) if isinstance(other, ByteSize) else str(other))


def as_text(value: Any) -> str:
    """As it would be written into the environment."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return ",".join(as_text(each) for each in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
