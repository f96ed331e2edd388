"""What ``--field`` takes, and what becomes of it in a table, on the wire and in tests."""

import keyword
import re
from typing import Any

import click
import msgspec

from app.cli.scaffold.naming import class_name
from app.lib.db.base import Entity
from app.lib.http.conditional import Versioned

_SPEC = re.compile(
    r"(?P<name>[a-z][a-z0-9_]*):(?P<kind>[a-z]+)(?:\[(?P<item>[a-z]+)\])?(?:\((?P<size>[^()]+)\))?(?P<null>\??)"
)
_COLUMN_TYPES = {"str", "int", "bool", "list", "date", "datetime"}
_TAKEN = {*dir(Entity), *dir(Versioned), *_COLUMN_TYPES, "owner_id", "data", "principal", "self"}
_MAX_LENGTH = 10_000

EXAMPLE = (
    "name:str(100), note:text, link:url, count:int, is_done:bool, due_on:date, seen_at:datetime, part_id:uuid, "
    "color:choice(red|blue), tags:list[str]"
)
_CHOICE = re.compile(r"[a-z][a-z0-9_]*")


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """``{size}`` in ``column`` and ``wire`` is the length, ``{choices}`` the quoted choices. ``first`` and ``second``
    are values as JSON has them.
    """

    python: str
    column: str
    wire: str
    first: Any
    second: Any
    size: int = 200


KINDS = {
    "str": Kind(
        python="str",
        column="String({size})",
        wire="Annotated[Line, Meta(max_length={size}, examples=[{first}])]",
        first="Tide tables",
        second="Star charts",
    ),
    "text": Kind(
        python="str",
        column="Text",
        wire="Annotated[TextLines, Meta(max_length={size}, examples=[{first}])]",
        first="High water at noon.",
        second="Low water at six.",
        size=_MAX_LENGTH,
    ),
    "url": Kind(
        python="str",
        column="String(2048)",
        wire="Annotated[PublicUrl, Meta(examples=[{first}])]",
        first="https://tides.example.com/",
        second="https://stars.example.com/",
    ),
    "int": Kind(
        python="int",
        column="BigInteger",
        wire="Annotated[int, Meta(ge=-(2**53) + 1, le=2**53 - 1, examples=[{first}])]",
        first=7,
        second=8,
    ),
    "bool": Kind(
        python="bool", column="Boolean", wire="Annotated[bool, Meta(examples=[{first}])]", first=True, second=False
    ),
    "date": Kind(
        python="date",
        column="Date",
        wire="Annotated[date, Meta(examples=[{first}])]",
        first="2026-01-31",
        second="2026-02-28",
    ),
    "datetime": Kind(
        python="datetime",
        column="",
        wire="Annotated[Timestamp, Meta(examples=[{first}])]",
        first="2026-01-31T12:00:00Z",
        second="2026-02-28T12:00:00Z",
    ),
    "uuid": Kind(
        python="UUID",
        column="",
        wire="UUID",
        first="0193a3c4-0000-7000-8000-000000000001",
        second="0193a3c4-0000-7000-8000-000000000002",
    ),
    "choice": Kind(python="str", column="String({size})", wire="Literal[{choices}]", first=None, second=None),
    "list": Kind(
        python="list[str]",
        column="JSON",
        wire="Annotated[list[Annotated[Line, Meta(max_length={size}, examples={first})]], Meta(max_length=20)]",
        first=["sea"],
        second=["sea", "sky"],
        size=50,
    ),
}


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """A column of the table and a member of the Structs."""

    name: str
    python: str
    column: str
    wire: str
    is_nullable: bool
    first: Any
    second: Any

    @property
    def alias(self) -> str:
        """Of its type on the wire."""
        return "_" + class_name(self.name)

    @property
    def null(self) -> str:
        return " | None" if self.is_nullable else ""


def parse_field(text: str) -> Field:
    """Reads ``name:kind``, with ``(length)`` or ``(one|another)``, and ``?`` for what may be null. Raises
    ``click.BadParameter``.
    """
    match = _SPEC.fullmatch(text)
    kind = KINDS.get(match["kind"]) if match else None
    if (
        match is None
        or kind is None
        or (match["item"] or "str") != "str"
        or ((match["kind"] == "list") != bool(match["item"]))
    ):
        raise click.BadParameter(f"'{text}' is not a field. Examples: {EXAMPLE}; a ? at the end allows null.")
    name, size = match["name"], match["size"]
    if name in _TAKEN or keyword.iskeyword(name):
        raise click.BadParameter(f"'{name}' has a meaning of its own; choose another name for the field.")
    first, second, length, choices = kind.first, kind.second, kind.size, ""
    if match["kind"] == "choice":
        names = list(dict.fromkeys((size or "").split("|")))
        if names[1:] == [] or not all(map(_CHOICE.fullmatch, names)):
            raise click.BadParameter(f"'{text}' needs two choices or more, in lower case: {name}:choice(red|blue)")
        first, second, *_ = names
        length, choices = max(map(len, names)), ", ".join(f'"{each}"' for each in names)
    elif size is not None:
        if match["kind"] not in {"str", "text", "list"} or not size.isdecimal() or not 1 <= int(size) <= _MAX_LENGTH:
            raise click.BadParameter(f"'{text}': a length from 1 to {_MAX_LENGTH} goes with str, text and list.")
        length = int(size)
        if isinstance(first, str):
            first, second = first[:length].rstrip(), second[:length].rstrip()
        else:
            first, second = ([each[:length] for each in value] for value in (first, second))
    values = {"size": length, "first": repr(first), "choices": choices}
    return Field(
        name=name,
        python=kind.python,
        column=kind.column.format(**values),
        wire=kind.wire.format(**values),
        is_nullable=bool(match["null"]),
        first=first,
        second=second,
    )
