"""Shows that a domain can be taken away, as README.md says it: `just check-removal orders`.

Copies the tree and removes from the copy, for the domain and for those that stand on it: the folder, the tests that use
it, its line in ``app/asgi.py``, its migration and its exported documents. Then lint, types and import layers must hold,
the app must start and serve its probe and its OpenAPI document, and the tests of accounts must pass.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
KEPT = {"accounts", "audit", "auth", "jobs", "system"}
USES = re.compile(
    r"^\s*(?:from|import) (?P<module>(?:app|tests|benchmarks)[\w.]*)(?: import (?P<names>[^#\n]*))?", re.MULTILINE
)

SERVE = """
import asyncio, httpx
from app.asgi import create_app, load_settings
from app.cli.process import with_throwaway_secret

async def main():
    app = create_app(with_throwaway_secret(load_settings()[0]))
    async with app.lifespan(), httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://127.0.0.1:8000"
    ) as client:
        for path in ("/health/ready", "/docs/openapi.json"):
            answer = await client.get(path)
            assert answer.status_code == 200, (path, answer.text)

asyncio.run(main())
"""


def main() -> None:
    wanted = sys.argv[1:]
    known = {path.parent.name for path in (ROOT / "app/domain").glob("*/__init__.py")}
    if not wanted or not set(wanted) <= known - KEPT:
        sys.exit(f"usage: check_removal.py NAME..., of {', '.join(sorted(known - KEPT))}")
    for name in wanted:
        with tempfile.TemporaryDirectory(prefix="lodestar-without-") as folder:
            copy = Path(folder) / "lodestar"
            gone = remove(name, copy)
            print(f"== without {', '.join(gone)}", flush=True)
            check(copy)


def remove(name: str, copy: Path) -> list[str]:
    """Copies what git knows, and removes the domain and those that need it. Returns their names."""
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True)  # noqa: S607 - git is on the PATH
    for line in listed.stdout.decode().splitlines():
        if (ROOT / line).is_file():
            (copy / line).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / line, copy / line)
    gone = standing_on(name, copy)
    for each in gone:
        shutil.rmtree(copy / "app/domain" / each)
    wiring = copy / "app/asgi.py"
    text = wiring.read_text()
    for each in gone:
        text = text.replace(f"from app.domain.{each} import {each}\n", "")
        text = re.sub(rf"(?<=[(\s]){each}(?:, |(?=\)))", "", text)
    wiring.write_text(text)
    remove_users(copy, {f"{root}.domain.{each}" for each in gone for root in ("app", "tests")})
    remove_migrations(copy, gone)
    return gone


def standing_on(name: str, root: Path) -> list[str]:
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


def remove_users(root: Path, modules: set[str]) -> None:
    """Removes tests and benchmarks that use the modules, directly or through one another."""
    files = {str(p.relative_to(root)): p for folder in ("tests", "benchmarks") for p in (root / folder).rglob("*.py")}
    names = {path.removesuffix(".py").replace("/", "."): path for path in files}
    removed = True
    while removed:
        removed = {module for module, path in names.items() if uses(files[path], modules)}
        for module in removed:
            files[names.pop(module)].unlink()
        modules |= removed
    for module in modules:  # folders of tests that mirror the domain
        folder = root / module.replace("app.domain.", "tests/domain/")
        if module.startswith("app.domain.") and folder.is_dir():
            shutil.rmtree(folder)


def uses(path: Path, modules: set[str]) -> bool:
    """Whether a file imports one of the modules, or one below it."""
    found: set[str] = set()
    for match in USES.finditer(path.read_text()):
        found.add(match["module"])
        found |= {f"{match['module']}.{each.split()[0]}" for each in (match["names"] or "").split(",") if each.split()}
    return any(each == module or each.startswith(f"{module}.") for each in found for module in modules)


def remove_migrations(root: Path, gone: list[str]) -> None:
    """Deletes the domains' migrations, and lets each next one follow the one before."""
    before: str | None = None
    for path in sorted((root / "migrations/versions").glob("*.py")):
        revision, _, name = path.stem.partition("_")
        if name in gone:
            path.unlink()
            continue
        text = re.sub(
            r"^down_revision = .*$",
            f"down_revision = {before!r}".replace("'", '"'),
            path.read_text(),
            flags=re.MULTILINE,
        )
        path.write_text(text)
        before = revision


def check(root: Path) -> None:
    """Raises ``CalledProcessError`` for the first check that fails."""
    environ = {**os.environ, "PYTHONPATH": str(root), "DATABASE_URL": f"sqlite:///{root}/data/check.db"}
    python = [sys.executable]
    app = [*python, "-c", "from app.cli import main; main()"]
    run(root, environ, *app, "openapi", "export", "--output", "docs/openapi.json")
    tools = Path(sys.executable).parent
    run(root, environ, tools / "ruff", "format", "--check", "--quiet")
    run(root, environ, tools / "ruff", "check", "--quiet")
    run(root, environ, tools / "lint-imports", "--no-cache")
    run(root, environ, tools / "mypy", "app", "tests")
    run(root, environ, tools / "pyright", "app")
    run(root, environ, *app, "db", "upgrade")
    run(root, environ, *app, "db", "check")
    run(root, environ, *python, "-c", SERVE)
    del environ["DATABASE_URL"]
    run(root, environ, *python, "-m", "pytest", "-q", "-n", "2", "tests/domain/accounts")


def run(root: Path, environ: dict[str, str], *command: str | Path) -> None:
    shown = " ".join(Path(each).name if isinstance(each, Path) else each for each in command).splitlines()[0]
    print(f"-- {shown[:100]}", flush=True)
    subprocess.run(command, cwd=root, env=environ, check=True)  # noqa: S603 - our own commands


if __name__ == "__main__":
    main()
