"""Takes a domain away: its folder, its line, its migration, its tests, and all that stands on it."""

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from functools import partial
from pathlib import Path

from app.cli.scaffold.wiring import unwire, wiring_of
from app.lib.cli.errors import CommandFailed

KEPT = {"accounts", "audit", "auth", "jobs", "system"}
"""What the others stand on."""
_USES = re.compile(
    r"^\s*(?:from|import) (?P<module>(?:app|tests|benchmarks)[\w.]*)(?: import (?P<names>[^#\n]*))?", re.MULTILINE
)


_LINK = re.compile(r"`[^`\n]+`|\[([^\[\]\n]+)\]\(([^()\s#:/][^()\s#:]*)(?:#[^()\s]*)?\)")
_FOLLOWS = re.compile(r"^down_revision = (.+)$", re.MULTILINE)


def removable(root: Path) -> list[str]:
    """The domains that can go."""
    return sorted({path.parent.name for path in (root / "app/domain").glob("*/__init__.py")} - KEPT)


def remove_domain(root: Path, name: str) -> tuple[list[str], list[Path]]:
    """Removes the domain and those that need it from the tree. Returns their names, and the files that are gone or
    changed. Raises ``CommandFailed`` before it touches anything.
    """
    gone = standing_on(root, name)
    migrations = _migrations_of(root, gone)
    touched = [*_files_of(root / "app/domain" / each for each in gone), *wiring_of(root)]
    for each in gone:
        shutil.rmtree(root / "app/domain" / each)
    unwire(root, gone)
    touched += _remove_users(root, {f"{top}.domain.{each}" for each in gone for top in ("app", "tests")})
    touched += _remove_migrations(root, migrations)
    return gone, [*touched, *_remove_links(root)]


def standing_on(root: Path, name: str) -> list[str]:
    """The domain, and every other that imports it, directly or not."""
    folders = sorted(path.parent for path in (root / "app/domain").glob("*/__init__.py"))
    gone = [name]
    for each in gone:
        using = re.compile(rf"\bapp\.domain\.{each}\b")
        gone += [
            folder.name
            for folder in folders
            if folder.name not in gone and any(using.search(path.read_text()) for path in folder.rglob("*.py"))
        ]
    return gone


def _remove_users(root: Path, modules: set[str]) -> list[Path]:
    """Removes tests and benchmarks that use the modules, directly or through one another."""
    files = {str(p.relative_to(root)): p for folder in ("tests", "benchmarks") for p in (root / folder).rglob("*.py")}
    names = {path.removesuffix(".py").replace("/", "."): path for path in files}
    touched: list[Path] = []
    while removed := {module for module, path in names.items() if _uses(files[path], modules)}:
        for module in removed:
            touched.append(files[names.pop(module)])
            touched[-1].unlink()
        modules |= removed
    for module in sorted(modules):  # folders of tests that mirror the domain
        folder = root / module.replace("app.domain.", "tests/domain/")
        if module.startswith("app.domain.") and folder.is_dir():
            touched += _files_of([folder])
            shutil.rmtree(folder)
    return touched


def _remove_links(root: Path) -> list[Path]:
    """Links of the documents to files that are gone become their words, and `tools/asvs.py` writes its table again."""
    touched: list[Path] = []
    for page in (*root.glob("*.md"), *root.glob("docs/**/*.md")):
        text = page.read_text(encoding="utf-8")
        kept = _LINK.sub(partial(_words, page), text)
        if kept != text:
            page.write_text(kept, encoding="utf-8")
            touched.append(page)
    subprocess.run([sys.executable, "tools/asvs.py"], cwd=root, check=False, capture_output=True)
    return touched


def _words(page: Path, link: re.Match[str]) -> str:
    """What stands for a link to nothing: in place of the ids of a test, that there is none. Code is no link."""
    if not link[2] or (page.parent / link[2]).exists():
        return link[0]
    return "**No test.**" if re.fullmatch("[0-9., ]+", link[1]) else link[1]


def _files_of(folders: Iterable[Path]) -> list[Path]:
    return [
        path for folder in folders for path in sorted(folder.rglob("*")) if path.is_file() and path.suffix != ".pyc"
    ]


def _uses(path: Path, modules: set[str]) -> bool:
    """Whether a file imports one of the modules, or one below it."""
    found: set[str] = set()
    for match in _USES.finditer(path.read_text()):
        found.add(match["module"])
        found |= {f"{match['module']}.{each.split()[0]}" for each in (match["names"] or "").split(",") if each.split()}
    return any(each == module or each.startswith(f"{module}.") for each in found for module in modules)


def _migrations_of(root: Path, gone: list[str]) -> list[Path]:
    """The domains' first ones, and all later ones of their tables."""
    paths = sorted((root / "migrations/versions").glob("*.py"))
    named = [path for path in paths if path.stem.partition("_")[2] in gone]
    models = [path.read_text() for each in gone for path in (root / "app/domain" / each).rglob("*.py")]
    tables = {table for text in models for table in re.findall(r'__tablename__ = "(\w+)"', text)}
    tables |= {table for path in named for table in _tables_in(path)}
    found = [path for path in paths if path in named or _tables_in(path) & tables]
    if shared := [path.name for path in found if _tables_in(path) - tables]:
        raise CommandFailed(f"{shared[0]} changes tables of other domains, too.", "Take it apart first.")
    return found


def _tables_in(path: Path) -> set[str]:
    """The tables that a migration makes, changes or drops."""
    changes = r"""op\.(?:create_table|drop_table|batch_alter_table|add_column|drop_column|alter_column)\(\s*["'](\w+)"""
    return set(re.findall(changes, path.read_text()))


def _remove_migrations(root: Path, gone: list[Path]) -> list[Path]:
    """Deletes them, and lets those that followed one of them follow what it has followed. Returns what has changed."""
    parents = {path: _parents_of(path) for path in sorted((root / "migrations/versions").glob("*.py"))}
    by_name = {path.stem.partition("_")[0]: path for path in parents}

    def above(path: Path) -> tuple[str, ...]:
        steps = [above(by_name[each]) if by_name[each] in gone else (each,) for each in parents[path]]
        return tuple(dict.fromkeys(each for step in steps for each in step))

    def older(name: str) -> set[str]:
        return {other for each in parents[by_name[name]] for other in (each, *older(each))}

    touched = list(gone)
    for path in parents.keys() - set(gone):
        if (kept := above(path)) != parents[path]:
            names = [each for each in kept if not any(each in older(other) for other in kept)]
            shown = repr(tuple(names) if len(names) > 1 else names[0] if names else None).replace("'", '"')
            path.write_text(_FOLLOWS.sub(f"down_revision = {shown}", path.read_text(), count=1))
            touched.append(path)
    for path in gone:
        path.unlink()
    return touched


def _parents_of(path: Path) -> tuple[str, ...]:
    match = _FOLLOWS.search(path.read_text())
    found = ast.literal_eval(match[1]) if match else None
    return found if isinstance(found, tuple) else (found,) if found else ()
