"""Takes a domain away: its folder, its line, its migration, its tests, and all that stands on it."""

import re
import shutil
from pathlib import Path

from app.cli.scaffold.wiring import unwire

KEPT = {"accounts", "audit", "auth", "jobs", "system"}
"""What the others stand on."""
_USES = re.compile(
    r"^\s*(?:from|import) (?P<module>(?:app|tests|benchmarks)[\w.]*)(?: import (?P<names>[^#\n]*))?", re.MULTILINE
)


def removable(root: Path) -> list[str]:
    """The domains that can go."""
    return sorted({path.parent.name for path in (root / "app/domain").glob("*/__init__.py")} - KEPT)


def remove_domain(root: Path, name: str) -> list[str]:
    """Removes the domain and those that need it from the tree. Returns their names."""
    gone = standing_on(root, name)
    for each in gone:
        shutil.rmtree(root / "app/domain" / each)
    unwire(root, gone)
    _remove_users(root, {f"{top}.domain.{each}" for each in gone for top in ("app", "tests")})
    _remove_migrations(root, gone)
    return gone


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


def _remove_users(root: Path, modules: set[str]) -> None:
    """Removes tests and benchmarks that use the modules, directly or through one another."""
    files = {str(p.relative_to(root)): p for folder in ("tests", "benchmarks") for p in (root / folder).rglob("*.py")}
    names = {path.removesuffix(".py").replace("/", "."): path for path in files}
    while removed := {module for module, path in names.items() if _uses(files[path], modules)}:
        for module in removed:
            files[names.pop(module)].unlink()
        modules |= removed
    for module in modules:  # folders of tests that mirror the domain
        folder = root / module.replace("app.domain.", "tests/domain/")
        if module.startswith("app.domain.") and folder.is_dir():
            shutil.rmtree(folder)


def _uses(path: Path, modules: set[str]) -> bool:
    """Whether a file imports one of the modules, or one below it."""
    found: set[str] = set()
    for match in _USES.finditer(path.read_text()):
        found.add(match["module"])
        found |= {f"{match['module']}.{each.split()[0]}" for each in (match["names"] or "").split(",") if each.split()}
    return any(each == module or each.startswith(f"{module}.") for each in found for module in modules)


def _remove_migrations(root: Path, gone: list[str]) -> None:
    """Deletes the domains' migrations, and lets each next one follow the one before."""
    before: str | None = None
    for path in sorted((root / "migrations/versions").glob("*.py")):
        revision, _, name = path.stem.partition("_")
        if name in gone:
            path.unlink()
            continue
        line = f"down_revision = {before!r}".replace("'", '"')
        path.write_text(re.sub(r"^down_revision = .*$", line, path.read_text(), flags=re.MULTILINE))
        before = revision
