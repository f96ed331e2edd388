"""Shows that a domain can be taken away and another be made, as README.md says it: `just check-removal orders`.

In a copy of the tree, which ``app rename`` gives another name, ``app remove domain`` removes the domain and those that
stand on it, and ``app new domain`` writes two that have every kind of field and every option. Then lint, types and
import layers must hold, the app must start and serve its probe and its OpenAPI document, and the tests of accounts, of
the new domains and of all routes on them must pass. At the end the new domains are removed again, and nothing of them
is left.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from app.cli.scaffold.removal import removable
from app.cli.scaffold.renaming import copy_tree

ROOT = Path(__file__).parents[1]
NAME, PACKAGE = "Quiet Harbour", "quiet_harbour"
NEW = {
    "gadgets": (
        "name:str(100)", "note:text(5000)?", "link:url", "contact:email", "count:int", "is_done:bool",
        "due_on:date?", "seen_at:datetime", "part_id:uuid", "color:choice(red|blue)", "tags:list[str]", "order:int",
        "group:str?", "--owned", "--event", "--job",
    ),
    "spare_parts": ("title:str", "weight:int?", "--job"),
}  # fmt: skip
"""Domains, their fields and their options."""
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
    known = removable(ROOT)
    if not wanted or not set(wanted) <= set(known):
        sys.exit(f"usage: check_removal.py NAME..., of {', '.join(known)}")
    for name in wanted:
        with tempfile.TemporaryDirectory(prefix="lodestar-without-") as folder:
            copy = Path(folder) / "copy"
            copy_tree(ROOT, copy)
            app(copy, "rename", NAME, "--yes")  # so that nothing depends on the name
            pretend_installed(copy, PACKAGE)
            print(f"== without {name}", flush=True)
            app(copy, "remove", "domain", name, "--yes")
            before = content_of(copy)
            for each, arguments in NEW.items():
                fields = [part for given in arguments if ":" in given for part in ("--field", given)]
                app(copy, "new", "domain", each, *fields, *(given for given in arguments if given.startswith("--")))
            check(copy)
            for each in NEW:
                app(copy, "remove", "domain", each, "--yes")
            after = content_of(copy)
            if left := sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path)):
                sys.exit(f"the new domains have left something in {', '.join(left)}")


def pretend_installed(root: Path, package: str) -> None:
    """For a copy with another name: its version is looked up among those of installed packages."""
    (root / f"{package}.dist-info").mkdir()
    (root / f"{package}.dist-info/METADATA").write_text(f"Metadata-Version: 2.4\nName: {package}\nVersion: 0.1.0\n")


def content_of(root: Path) -> dict[str, bytes]:
    """Every file of the code, its tests and the exported documents."""
    parts = [root / ".importlinter", *(root / name for name in ("app", "tests", "migrations", "docs"))]
    files = [path for part in parts for path in (part.rglob("*") if part.is_dir() else [part]) if path.is_file()]
    return {str(path.relative_to(root)): path.read_bytes() for path in files if path.suffix != ".pyc"}


def check(root: Path) -> None:
    """Raises ``CalledProcessError`` for the first check that fails."""
    tools = Path(sys.executable).parent
    run(root, tools / "ruff", "format", "--check", "--quiet")
    run(root, tools / "ruff", "check", "--quiet")
    run(root, tools / "lint-imports", "--no-cache")
    run(root, tools / "mypy", "app", "tests")
    run(root, tools / "pyright", "app")
    database = f"sqlite:///{root}/data/check.db"
    app(root, "db", "upgrade", DATABASE_URL=database)
    app(root, "db", "check", DATABASE_URL=database)
    run(root, sys.executable, "-c", SERVE, DATABASE_URL=database)
    pytest = (sys.executable, "-m", "pytest", "-q", "-n", "2")
    run(root, *pytest, *(f"tests/domain/{name}" for name in ("accounts", *NEW)))
    # The kit's table of realtime stays without the domain that exports it; the documents still speak of what is gone.
    left_out = "realtime_events", "test_docs_commands"
    wanted = f"(gadget or spare or architecture or body_limits) and not ({' or '.join(left_out)})"
    run(root, *pytest, "tests/contract", "tests/architecture", "-k", wanted)


def app(root: Path, *arguments: str, **environ: str) -> None:
    """A command of the copy."""
    run(root, sys.executable, "-c", "from app.cli import main; main()", *arguments, **environ)


def run(root: Path, *command: str | Path, **environ: str) -> None:
    shown = " ".join(Path(each).name if isinstance(each, Path) else each for each in command).splitlines()[0]
    print(f"-- {shown[:100]}", flush=True)
    subprocess.run(command, cwd=root, env={**os.environ, "PYTHONPATH": str(root), **environ}, check=True)  # noqa: S603 - our own commands


if __name__ == "__main__":
    main()
