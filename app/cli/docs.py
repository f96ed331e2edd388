"""``app docs``: the documents that are written from the code, and kept in the repository."""

import inspect
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import click
import msgspec
from msgspec.inspect import BoolType, CustomType, FloatType, IntType, LiteralType, NoneType, UnionType, VarTupleType

from app.asgi import DOMAINS
from app.cli import main
from app.cli.configuration import as_text, description, plain
from app.cli.openapi import described, render
from app.cli.process import with_throwaway_secret
from app.cli.scaffold.guide import GUIDE, render_guide
from app.config import Settings
from app.core import Core
from app.domain.accounts.demo import SIGN_INS
from app.lib.cli.errors import CommandFailed
from app.lib.domain import collect_error_codes
from app.lib.errors import AppError, FieldCode
from app.lib.openapi.collection import http_collection
from app.lib.settings import ByteSize, Secret, WebOrigin, described_fields, variable_name

_DOCS = Path("docs")
_CUSTOM: dict[type, str] = {WebOrigin: "web address", ByteSize: "size"}
_WITH_PASSWORD = {"database_url", "database_direct_url"}


@click.group()
def docs() -> None:
    """Write the documents that come from the code."""


@docs.command()
@click.option("--check", is_flag=True, help="Write nothing; fail when a document is stale.")
def export(*, check: bool) -> None:
    """Write the OpenAPI document, the reference and the list of decisions into the folder `docs` that is here, and
    print the files that have changed.
    """
    if not (_DOCS / "decisions").is_dir():
        raise CommandFailed("There are no docs/decisions here.", "Run it at the top of a checkout.")
    texts = {path: text.encode() for path, text in documents().items()}
    stale = {path: text for path, text in texts.items() if not path.is_file() or path.read_bytes() != text}
    if stale and check:
        raise CommandFailed(f"Stale: {', '.join(map(str, stale))}.", "Run 'just openapi'.")
    for path, text in stale.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text)
        click.echo(path)


def documents() -> dict[Path, str]:
    """The text of each, by its file."""
    reference = _DOCS / "reference"
    return {
        _DOCS / "openapi.json": render(),
        _DOCS / "api.http": http_collection(described(), _collection_variables(), [domain.steps for domain in DOMAINS]),
        reference / "settings.md": _page("Settings", _SETTINGS, _settings()),
        reference / "cli.md": _page(
            "The command line", _COMMAND_LINE, _commands(main, click.Context(main, None, "app"))
        ),
        reference / "errors.md": _page("Error codes", _ERRORS, _errors()),
        reference / "audit-kinds.md": _page("Kinds of audit events", _AUDIT_KINDS, _audit_kinds()),
        reference / "event-kinds.md": _page("Kinds of events", _EVENT_KINDS, _event_kinds()),
        reference / "metrics.md": _page("Metrics", _METRICS, _metrics()),
        **({GUIDE: render_guide(Path())} if GUIDE.is_file() else {}),
        _DOCS / "decisions/README.md": _page("Decisions", _DECISIONS, _decisions()),
    }


def _collection_variables() -> dict[str, str]:
    """The address of a development server, and the superuser of `app seed`."""
    superuser = next(each for each in SIGN_INS if each.kind == "superuser")
    return {"base": Settings().base_url, "email": superuser.email, "password": superuser.password}


def _page(title: str, introduction: str, lines: Iterable[str]) -> str:
    return "\n".join((f"# {title}", "", introduction, "Written by `app docs export`.", "", *lines)) + "\n"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(header)} |"
    yield f"|{' --- |' * len(header)}"
    for row in rows:
        yield f"| {' | '.join(' '.join(cell.split()).replace('|', chr(92) + '|') for cell in row)} |"


_SETTINGS = """\
Every variable of the environment, or of `.env`, that the service reads. `NAME_FILE=/path` reads `NAME` from a file,
which is the way for secrets. Lists are separated by commas. `app config show` prints what is in force and where it came
from, without the secrets, and `app config example` this page as an `.env` file."""


def _settings() -> Iterator[str]:
    parts: list[tuple[str, type[msgspec.Struct]]] = [("The process", Settings)]
    parts += [(f"Domain {domain.name}", domain.settings) for domain in DOMAINS if domain.settings]
    for title, kind in parts:
        yield from (f"## {title}", "")
        yield from _table(
            ("Variable", "Type", "Default", "Meaning", "Secret"),
            [
                (
                    f"`{variable_name(field.name)}`",
                    _type(described := _described_type(field.type)),
                    f"`{default}`" if (default := as_text(plain(field.default))) else "",
                    description(field),
                    "yes" if _is_secret(described) else "its password" if field.name in _WITH_PASSWORD else "",
                )
                for field in described_fields(kind)
            ],
        )
        yield ""


def _described_type(annotation: Any) -> Any:
    kind: Any = msgspec.inspect.type_info(annotation)
    kind = kind.type
    return next(each for each in kind.types if not isinstance(each, NoneType)) if isinstance(kind, UnionType) else kind


def _is_secret(kind: Any) -> bool:
    kind = kind.item_type if isinstance(kind, VarTupleType) else kind
    return isinstance(kind, CustomType) and issubclass(kind.cls, Secret)


def _type(kind: Any) -> str:
    match kind:
        case BoolType():
            return "true or false"
        case IntType() | FloatType():
            bounds = (("more than", kind.gt), ("at least", kind.ge), ("at most", kind.le))
            name = "whole number" if isinstance(kind, IntType) else "number"
            return ", ".join([name, *(f"{words} {bound}" for words, bound in bounds if bound is not None)])
        case LiteralType():
            return ", ".join(f"`{value}`" for value in kind.values)
        case VarTupleType():
            return f"list: {_type(kind.item_type)}"
        case _:
            return next((name for cls, name in _CUSTOM.items() if issubclass(getattr(kind, "cls", str), cls)), "text")


_COMMAND_LINE = """\
`uv run app` in a checkout, `app` where the package is installed. Every command has `--help`; settings come from the
environment and from `.env` ([settings](settings.md))."""


def _commands(command: click.Command, context: click.Context) -> Iterator[str]:
    """A chapter for each command, in the order of the help."""
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    text = inspect.cleandoc(command.help or "").replace("\b\n", "")
    yield from (f"## {context.command_path}", "", f"`{usage}`", "", text, "")
    records = [each.get_help_record(context) for each in command.params if isinstance(each, click.Option)]
    escaped = r"]\("  # else it would be a link
    if options := [f"- `{record[0]}`: {record[1].replace('](', escaped)}" for record in records if record]:
        yield from (*options, "")
    if command.epilog:
        yield from ("```text", inspect.cleandoc(command.epilog).replace("\b\n", ""), "```", "")
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            if (inner := command.get_command(context, name)) and not inner.hidden:
                yield from _commands(inner, click.Context(inner, context, name))


_ERRORS = """\
Every refusal is a problem (RFC 9457) with one of these codes ([the manual](../api.md#errors)); `type` leads to a page
of the service that says the same."""


def _errors() -> Iterator[str]:
    statuses: defaultdict[str, set[int]] = defaultdict(set)
    for error in _subclasses(AppError):
        statuses[error.code.value].add(error.status)
    codes = sorted(collect_error_codes(DOMAINS), key=lambda code: (min(statuses[code.value]), code.value))
    rows = [
        (f"`{code.value}`", " or ".join(map(str, sorted(statuses[code.value]))), code.title, code.advice)
        for code in codes
    ]
    yield from _table(("Code", "Status", "Meaning", "What to do"), rows)
    fields = ", ".join(f"`{code.value}`" for code in FieldCode)
    yield from ("", "## Codes of fields", "", f"`errors` of a problem has one of these for each field: {fields}.")


def _subclasses(error: type[AppError]) -> Iterator[type[AppError]]:
    """It and all below it in `app`, not in a test."""
    if error.__module__.startswith("app."):
        yield error
    for each in error.__subclasses__():
        yield from _subclasses(each)


_AUDIT_KINDS = "What the audit log records; what that means is in [the audit log](../audit.md)."


def _audit_kinds() -> Iterator[str]:
    kinds = [kind for domain in DOMAINS for kind in domain.audit_kinds]
    rows = [
        (f"`{kind.name}`", kind.description, "briefly" if kind.by_strangers else "long", "yes" if kind.is_own else "")
        for kind in sorted(kinds, key=lambda each: each.name)
    ]
    return _table(("Kind", "What happened", "Kept", "Shown to the user"), rows)


_EVENT_KINDS = "Webhooks send them, and `GET /events` lists them ([keep a copy](../synchronising.md))."


def _event_kinds() -> Iterator[str]:
    kinds = [kind for domain in DOMAINS for kind in domain.webhook_kinds]
    rows = [
        (
            f"`{kind.name}`",
            kind.description,
            f"`{kind.permission}`" if kind.permission else "for the user alone, not in `GET /events`",
        )
        for kind in sorted(kinds, key=lambda each: each.name)
    ]
    return _table(("Kind", "What happened", "Permission"), rows)


_METRICS = """\
What `/metrics` has; how to use it is in [monitoring](../monitoring.md). Where there are several workers, gauges of a
process have the label `pid`, too."""


def _metrics() -> Iterator[str]:
    """The library keeps the names of labels to itself while there is no sample."""
    core = Core(with_throwaway_secret(Settings(environment="test")), DOMAINS)
    families = [(each, family) for each in core.metrics.collectors for family in each.collect()]
    rows = [
        (
            f"`{family.name}{'_total' if family.type == 'counter' else ''}`",
            family.type,
            ", ".join(f"`{each}`" for each in getattr(one, "_labelnames", ()) or getattr(family, "_labelnames", ())),
            family.documentation,
        )
        for one, family in families
    ]
    return _table(("Metric", "Type", "Labels", "Meaning"), sorted(rows))


_DECISIONS = "What was chosen between real alternatives, why, and what it costs."


def _decisions() -> Iterator[str]:
    for path in sorted((_DOCS / "decisions").glob("[0-9]*.md")):
        title = path.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")
        yield f"- [{title}]({path.name})"
