"""Refuses a domain whose names are others' already: in the code that would be written, in the database, in the API."""

import ast
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import click
import msgspec

from app.asgi import DOMAINS
from app.cli.scaffold.naming import Names
from app.lib.db.base import Entity
from app.lib.domain import collect_permissions
from app.lib.events import Event


def require_names_of_its_own(root: Path, names: Names, texts: Iterable[str]) -> None:
    """Raises ``click.BadParameter``. ``texts`` are the modules that would be written."""
    document = msgspec.json.decode((root / "docs/openapi.json").read_bytes())
    clashes = [
        *([f"a table {names.plural}"] if names.plural in Entity.metadata.tables else []),
        *(f"a permission {code}" for code in collect_permissions(DOMAINS) if code == f"{names.plural}:write"),
        *(f"an event of a {kind.aggregate_type}" for kind in _events(Event) if kind.aggregate_type == names.singular),
        *(f"a route {path}" for path in document["paths"] if re.match(rf"/api/v1/{names.path}(?:/|$)", path)),
        *(f"a schema {name}" for name in _schemas(names) if name in document["components"]["schemas"]),
        *(f"an operation {name}" for name in _operations(names) if name in _operations_of(document)),
        *(f"a name {name} in the code" for text in texts for name in _bound_twice(text)),
        *(f"a name {name} in app/asgi.py" for name in _words_of(root / "app/asgi.py") if name == names.plural),
    ]
    if clashes:
        raise click.BadParameter(f"there is {clashes[0]} already; choose another name, or another --singular.")


def _schemas(names: Names) -> list[str]:
    return [names.entity + kind for kind in ("Read", "Page", "Create", "Update")]


def _operations(names: Names) -> list[str]:
    return [f"list{names.entities}", *(verb + names.entity for verb in ("create", "get", "update", "delete"))]


def _operations_of(document: dict[str, dict[str, dict[str, dict[str, str]]]]) -> set[str]:
    return {
        each["operationId"] for path in document["paths"].values() for each in path.values() if "operationId" in each
    }


def _events(base: type[Event]) -> list[type[Event]]:
    return [kind for each in base.__subclasses__() for kind in (each, *_events(each))]


def _words_of(path: Path) -> set[str]:
    """Of the code, so that the domain's name hides none."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    return {each.id for each in nodes if isinstance(each, ast.Name)} | {
        each.arg for each in nodes if isinstance(each, ast.arg)
    }


def _bound_twice(text: str) -> list[str]:
    """Names that a module imports or defines twice, and parameters that their function assigns."""
    tree = ast.parse(text)
    bound: Counter[str] = Counter()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            bound.update(each.name for each in node.names)
        elif isinstance(node, ast.ClassDef):
            bound[node.name] += 1
        elif isinstance(node, ast.AsyncFunctionDef):
            arguments = {each.arg for each in node.args.args}
            bound.update(2 * [name for name in _assigned(node.body) if name in arguments])
    bound.update(_assigned(tree.body))
    return [name for name, times in bound.items() if times > 1]


def _assigned(body: list[ast.stmt]) -> list[str]:
    targets = [each for statement in body if isinstance(statement, ast.Assign) for each in statement.targets]
    return [each.id for each in targets if isinstance(each, ast.Name)]
