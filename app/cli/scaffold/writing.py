"""Writes a domain: its rooms, its tests, its lines in the wiring, its migration and the exported documents."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from pprint import pformat

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from app.cli.scaffold.clashes import require_names_of_its_own
from app.cli.scaffold.fields import Field, largest_body
from app.cli.scaffold.formatting import tidy
from app.cli.scaffold.naming import Names
from app.cli.scaffold.wiring import wire, wiring_of
from app.lib.cli.errors import CommandFailed
from app.lib.http.rules import SMALL_BODY

TEMPLATES = Path(__file__).parent / "templates"


def write_domain(root: Path, names: Names, fields: Sequence[Field], **options: bool) -> list[Path]:
    """Returns the files that are new or changed. ``options`` are ``owned``, ``event`` and ``job``. What fails leaves
    nothing behind.
    """
    texts = render(root, names, fields, options)
    require_names_of_its_own(root, names, texts.values())
    folders = {path.parent for path in texts}
    before = {path: path.read_bytes() for path in wiring_of(root)}
    migrations = set((root / "migrations/versions").glob("*.py"))
    try:
        for path, text in texts.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        wire(root, names.plural)
        written = [*texts, *before]
        tidy(root, written)
        written.append(_migrate(root, names.plural))
        tidy(root, written)
        return [*written, *export_documents(root)]
    except BaseException as exc:  # Ctrl-C, too
        for path, content in before.items():
            path.write_bytes(content)
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)
        for path in set((root / "migrations/versions").glob("*.py")) - migrations:
            path.unlink()
        if not isinstance(exc, subprocess.CalledProcessError):
            raise
        said = (exc.stderr or exc.stdout or "").strip().splitlines() or ["no reason"]
        raise CommandFailed(f"A step failed, and nothing is written: {said[-1]}") from exc


def export_documents(root: Path) -> list[Path]:
    """Writes the exported documents again. Raises ``CalledProcessError``."""
    return [root / path for path in _app(root, "docs", "export").splitlines()]


def render(root: Path, names: Names, fields: Sequence[Field], options: dict[str, bool]) -> dict[Path, str]:
    """The texts of its modules, before they are formatted."""
    environment = Environment(  # noqa: S701 - Python, not HTML
        loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined, keep_trailing_newline=True
    )
    bodies = {
        "first": pformat({each.name: each.first for each in fields}, sort_dicts=False, width=100),
        "second": pformat({fields[0].name: fields[0].second}, sort_dicts=False),
    }
    variables = {**names.variables, **options, **bodies, "fields": fields}
    variables["is_long"] = largest_body(fields) > SMALL_BODY
    tests = root / "tests/domain" / names.plural
    places = {"test.py": tests / f"test_{names.plural}.py", "makers.py": tests / "makers.py"}
    texts: dict[Path, str] = {}
    for template in sorted(TEMPLATES.glob("*.jinja")):
        text = environment.get_template(template.name).render(variables)
        if text.strip():  # a room that this domain does not need
            texts[places.get(template.stem, root / "app/domain" / names.plural / template.stem)] = text
    return texts


def _migrate(root: Path, name: str) -> Path:
    """The migration is the difference between a new database and the models."""
    with tempfile.TemporaryDirectory() as folder:
        database = f"sqlite:///{folder}/empty.db"
        _app(root, "db", "upgrade", DATABASE_URL=database)
        path = Path(_app(root, "db", "revision", "-m", name, DATABASE_URL=database).strip().splitlines()[-1])
    text = path.read_text()
    if others := set(re.findall(r'(?:_table|table_name=)\(?\s*[\'"](\w+)', text)) - {name}:
        raise CommandFailed(
            f"Models of {', '.join(sorted(others))} have changes without a migration, and nothing is written.",
            "Write that one first: 'app db revision -m \"what it is for\"'.",
        )
    path.write_text(re.sub(r'^"""' + name + '"""', f'"""The table of {name}."""', text, count=1))
    return path


def _app(root: Path, *arguments: str, **environ: str) -> str:
    """A command of the changed code, so in a process of its own."""
    program = "from app.cli import main; main()"
    environ = {"DATABASE_URL": "sqlite:///none.db", "DATABASE_DIRECT_URL": "", "ENVIRONMENT": "test"} | environ
    return subprocess.run(  # noqa: S603 - ours
        [sys.executable, "-c", program, *arguments],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root), **environ},
        check=True,
        capture_output=True,
        text=True,
    ).stdout
