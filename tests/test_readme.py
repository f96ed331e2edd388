"""The README says what is so."""

import re
from pathlib import Path
from typing import Annotated, Any, get_args, get_type_hints

import msgspec
from msgspec import Meta

from app.asgi import DOMAINS
from app.config import Settings
from app.domain.accounts.demo import PEOPLE
from app.lib.settings import described_fields
from tests.support.each import each

README = (Path(__file__).parent.parent / "README.md").read_text()
KINDS: list[type[msgspec.Struct]] = [Settings, *(domain.settings for domain in DOMAINS if domain.settings)]
FIELDS = {field.name: field for kind in KINDS for field in described_fields(kind)}
HINTS = {name: hint for kind in KINDS for name, hint in get_type_hints(kind, include_extras=True).items()}


def _default(value: Any) -> str:
    if value is None or value == ():
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{int(value) if isinstance(value, float) and value.is_integer() else value}`"


def _description(hint: Any) -> str:
    assert hasattr(hint, "__metadata__"), Annotated
    return next(meta.description for meta in get_args(hint) if isinstance(meta, Meta) and meta.description)


ROWS = [line for line in README.splitlines() if line.startswith("| `")]


@each(ROWS)
def test_every_row_of_the_table_is_as_the_code_has_it(row: str) -> None:
    """docs/reference/settings.md is written from the code, and has all settings."""
    name = row.split("`")[1].lower()

    assert row == f"| `{name.upper()}` | {_default(FIELDS[name].default)} | {_description(HINTS[name])} |"


def test_its_first_calls_and_the_demo_data_do_not_meet() -> None:
    addresses = set(re.findall(r"[a-z]+@example\.com", README.partition("## What it does")[0]))

    assert "mary@example.com" in addresses
    assert not addresses & {person.email for person in PEOPLE}
