"""What ``--field`` takes, and what becomes of it in a table, on the wire and in tests."""

import keyword
import re
from collections.abc import Sequence
from typing import Any

import click
import msgspec

from app.cli.scaffold.naming import class_name
from app.lib.db.base import Entity
from app.lib.http.conditional import Versioned

_SPEC = re.compile(
    r"(?P<name>[a-z][a-z0-9_]*):(?P<kind>[a-z]+)(?:\[(?P<item>[a-z]+)(?:\((?P<each>[^()]+)\))?\])?"
    r"(?:\((?P<size>[^()]+)\))?(?P<null>\??)"
)
_COLUMN_TYPES = {"str", "int", "bool", "list", "date", "datetime"}
_MEANT = {"owner_id", "data", "principal", "self", "avatar_url", "permissions", "scopes", "kinds", "if_match", "paging"}
_TAKEN = {*dir(Entity), *dir(Versioned), *_COLUMN_TYPES, *_MEANT}
OF_USERS = {
    *("user_id", "author_id", "customer_id", "actor_id", "sender_id", "creator_id", "subject_id", "member_id"),
    "invited_by",
}
"""Columns that name a user, next to ``owner_id``: what they are of has its part in the export of the user's data."""
SECRET_WORDS = ("secret", "hash", "digest", "token", "password", "code", "claim")
"""No column with such a name is exported."""
_MAX_LENGTH = 10_000
_MAX_NAME = 40
_OTHER_BYTES = 80
"""Of a member: quotes, commas, and values that are short."""

EXAMPLE = (
    "name:str(100), note:text, link:url, contact:email, count:int, is_done:bool, due_on:date, seen_at:datetime, "
    "part_id:uuid, color:choice(red|blue), tags:list[str(40)](7)"
)
KINDS_HELP = (
    f"Kinds: {EXAMPLE}; a ? at the end allows null. A list has at most 7 texts of at most 40 characters then. "
    "Money, decimals and references to rows are written by hand: see docs/add-a-domain.md."
)
_CHOICE = re.compile(r"[a-z][a-z0-9_]*")


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """``{size}`` in ``column`` and ``wire`` is the length of each text, ``{items}`` the number of those in a list, and
    ``{choices}`` the quoted choices. ``first`` and ``second`` are values as JSON has them. ``texts`` of that length
    make a value.
    """

    python: str
    column: str
    wire: str
    first: Any
    second: Any
    size: int = 200
    texts: int = 0


KINDS = {
    "str": Kind(
        python="str",
        column="String({size})",
        wire="Annotated[Line, Meta(max_length={size}, examples=[{first}])]",
        first="Tide tables",
        second="Star charts",
        texts=1,
    ),
    "text": Kind(
        python="str",
        column="Text",
        wire="Annotated[TextLines, Meta(max_length={size}, examples=[{first}])]",
        first="High water at noon.",
        second="Low water at six.",
        size=2_000,
        texts=1,
    ),
    "url": Kind(
        python="str",
        column="String({size})",
        wire="Annotated[PublicUrl, Meta(examples=[{first}])]",
        first="https://tides.example.com/",
        second="https://stars.example.com/",
        size=2_048,
        texts=1,
    ),
    "email": Kind(
        python="str",
        column="String({size})",
        wire="Annotated[Email, Meta(examples=[{first}])]",
        first="ada@example.com",
        second="grace@example.com",
        size=254,
        texts=1,
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
        wire="Annotated[list[Annotated[Line, Meta(max_length={size}, examples={first})]], Meta(max_length={items})]",
        first=["sea"],
        second=["tide", "sea"],
        size=50,
        texts=20,
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
    characters: int
    """At most, with one more for the quotes and the comma of each in a list, and 0 where the kind bounds them."""

    @property
    def alias(self) -> str:
        """Of its type on the wire."""
        return "_" + class_name(self.name)

    @property
    def null(self) -> str:
        return " | None" if self.is_nullable else ""


def parse_field(text: str) -> Field:
    """Reads ``name:kind``, with ``(length)``, ``(one|another)`` or ``[str(length)](number)``, and ``?`` for what may be
    null. Raises ``click.BadParameter``.
    """
    match = _SPEC.fullmatch(text)
    if match is None:
        raise click.BadParameter(f"'{text}' is not a field. {KINDS_HELP}")
    name, size, kind = match["name"], match["size"], KINDS.get(match["kind"])
    if kind is None or (match["item"] or "str") != "str" or (match["kind"] == "list") != bool(match["item"]):
        raise click.BadParameter(f"'{text}': there is no such kind. {KINDS_HELP}")
    if reason := _refusal(name, match["kind"]):
        raise click.BadParameter(f"'{name}' {reason}; choose another name for the field.")
    first, second, length, choices, items = kind.first, kind.second, kind.size, "", kind.texts
    if match["kind"] == "choice":
        names = list(dict.fromkeys((size or "").split("|")))
        if names[1:] == [] or not all(map(_CHOICE.fullmatch, names)):
            raise click.BadParameter(f"'{text}' needs two choices or more, in lower case: {name}:choice(red|blue)")
        first, second, *_ = names
        length, choices = max(map(len, names)), ", ".join(f'"{each}"' for each in names)
    elif match["kind"] == "list":
        length, items = _limits_of_list(text, match)
        first, second = ([each[:length] for each in value][:items] for value in (first, second))
    elif size is not None:
        if match["kind"] not in {"str", "text"}:
            raise click.BadParameter(f"'{text}': only str, text and list take a length.")
        length = _limit(text, size)
        first, second = first[:length].rstrip(), second[:length].rstrip()
    values = {"size": length, "first": repr(first), "choices": choices, "items": items}
    return Field(
        name=name,
        python=kind.python,
        column=kind.column.format(**values),
        wire=kind.wire.format(**values),
        is_nullable=bool(match["null"]),
        first=first,
        second=second,
        characters=items * (length + 1) if match["kind"] == "list" else items * length,
    )


def _limits_of_list(text: str, match: re.Match[str]) -> tuple[int, int]:
    """Of each text, and of their number. A number alone does not say which it is."""
    name, each, size, default = match["name"], match["each"], match["size"], KINDS["list"]
    if size is not None and each is None:
        number = _limit(text, size)
        raise click.BadParameter(
            f"'{text}' has two meanings: {name}:list[str({default.size})]({number}) is at most {number} texts, "
            f"{name}:list[str({number})] texts of at most {number} characters."
        )
    return (_limit(text, each) if each else default.size, _limit(text, size) if size else default.texts)


def _limit(text: str, number: str) -> int:
    if not number.isdecimal() or not 1 <= int(number) <= _MAX_LENGTH:
        raise click.BadParameter(f"'{text}': '{number}' is no number from 1 to {_MAX_LENGTH}.")
    return int(number)


def largest_body(fields: Sequence[Field]) -> int:
    """Bytes of the longest one, as ``tests/contract/test_body_limits.py`` counts them, or a little more."""
    return sum(len(each.name) + 4 * each.characters + _OTHER_BYTES for each in fields)


def _refusal(name: str, kind: str) -> str:
    """Why a field cannot have the name, in words that follow it; what the tests of all routes would say later."""
    if name in _TAKEN or keyword.iskeyword(name) or name.endswith("_") or "__" in name or len(name) > _MAX_NAME:
        return "has a meaning of its own, or is no plain name"
    if kind == "datetime" and not name.endswith("_at"):
        return f"is an instant, which ends in _at, such as {name}_at"
    if kind == "uuid" and not name.endswith("_id"):
        return f"is a reference, which ends in _id, such as {name}_id"
    if kind == "uuid" and name in OF_USERS:
        return "is a user, for which --owned is the way"
    return ""


def secret_like(fields: Sequence[Field]) -> str | None:
    """The name of a field that reads like a secret, which no export of a user's data may have."""
    return next((each.name for each in fields if any(word in each.name for word in SECRET_WORDS)), None)
