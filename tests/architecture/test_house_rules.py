"""The rules of the house that no linter can say. What ruff and import-linter can say stands in their settings."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60

TEXT_SUFFIXES = {
    "", ".cfg", ".css", ".html", ".ini", ".js", ".json", ".lock", ".mako", ".md", ".py", ".service", ".sh", ".sql",
    ".svg", ".toml", ".txt", ".yaml", ".yml",
}  # fmt: skip

Function = ast.FunctionDef | ast.AsyncFunctionDef

STATEMENT_BUILDERS = {"select", "insert", "update", "delete", "text"}

IGNORE = re.compile(
    r"#\s*(?:ruff:\s*)?(?P<kind>type:\s*ignore|pyright:\s*ignore|noqa|pragma:\s*no cover)"
    r"(?P<codes>\[[^\]]+\]|:\s*[A-Z]+\d+(?:,\s*[A-Z]+\d+)*)?(?P<reason>.*)"
)
# The names are taken apart so that this file does not break its own rule.
ELSEWHERE = re.compile(
    r"(?<![\w.$}/])/(?:root|work|home|Users)/[\w.]"
    r"|" + r"\b(?:registry\.npm" + r"js|pypi\." + r"org|files\.python" + r"hosted|deb\.deb" + r"ian|jsde" + r"livr)\b"
)


def python_files(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def tracked_files() -> list[Path]:
    """What git tracks or would add; of an unpacked archive, everything that no tool makes."""
    try:
        command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout.decode()  # noqa: S603 - fixed words
    except (OSError, subprocess.CalledProcessError):
        made = {".venv", ".uv", "node_modules", "data", "__pycache__"}
        return [path for path in ROOT.rglob("*") if path.is_file() and not made & set(path.relative_to(ROOT).parts)]
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def functions(path: Path) -> Iterator[Function]:
    return (node for node in ast.walk(tree_of(path)) if isinstance(node, Function))


def at(path: Path, line: int, what: str) -> str:
    return f"{path.relative_to(ROOT)}:{line}: {what}"


def test_layers_point_down_only() -> None:
    """In a process of its own: import-linter would switch off the loggers of this one."""
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603  # our own command
    assert result.returncode == 0, result.stdout


def test_imports_stand_at_the_top_and_run_for_real() -> None:
    """An import inside a function hides a circle; one under TYPE_CHECKING is missing when Litestar looks."""
    found = []
    for path in python_files("app"):
        for function in functions(path):
            inner = [node for node in ast.walk(function) if isinstance(node, ast.Import | ast.ImportFrom)]
            found += [at(path, node.lineno, "import inside a function: move it to the top") for node in inner]
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.ImportFrom) and node.module == "__future__":
                found.append(at(path, node.lineno, "__future__ import: Litestar reads annotations, so leave it out"))
            if isinstance(node, ast.ImportFrom) and "TYPE_CHECKING" in {alias.name for alias in node.names}:
                found.append(at(path, node.lineno, "TYPE_CHECKING: import it for real, Litestar reads annotations"))
    assert not found, "\n".join(found)


def _is_overload(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return any(isinstance(each, ast.Name) and each.id == "overload" for each in node.decorator_list)


def test_what_the_kit_offers_is_documented() -> None:
    found = []
    for path in python_files("app/lib"):
        offered = [node for node in tree_of(path).body if isinstance(node, Function) and node.name[0] != "_"]
        bare = [node for node in offered if not ast.get_docstring(node) and not _is_overload(node)]
        found += [at(path, node.lineno, f"{node.name} has no docstring") for node in bare]
    assert not found, "\n".join(found)


def test_functions_and_files_are_short() -> None:
    found = []
    for path in python_files("app", "tests", "benchmarks", "migrations"):
        lines = len(path.read_text().splitlines())
        if lines >= MAX_FILE_LINES:
            found.append(
                at(path, lines, f"{lines} lines, {MAX_FILE_LINES - 1} at most: make two files of two thoughts")
            )
    for path in python_files("app"):
        for function in functions(path):
            length = (function.end_lineno or function.lineno) - function.lineno + 1
            if length >= MAX_FUNCTION_LINES:
                most = MAX_FUNCTION_LINES - 1
                found.append(at(path, function.lineno, f"{function.name} has {length} lines, {most} at most"))
    assert not found, "\n".join(found)


def test_no_module_is_a_drawer_for_everything() -> None:
    drawers = {"utils", "util", "helpers", "common", "misc"}
    found = [path for path in (ROOT / "app").rglob("*") if path.stem in drawers]
    assert not found, f"call a module by what it does: {found}"


def test_only_repositories_build_statements() -> None:
    found = []
    for path in python_files("app/domain"):
        if path.name == "repositories.py" or path.parent.name == "repositories":
            continue
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sqlalchemy"):
                built = STATEMENT_BUILDERS & {alias.name for alias in node.names}
                what = "imports {}: build statements in repositories.py of the domain"
                found += [at(path, node.lineno, what.format(name)) for name in sorted(built)]
    assert not found, "\n".join(found)


def test_every_ignore_names_its_rule_and_its_reason() -> None:
    found = []
    for path in python_files("app", "tests", "benchmarks", "migrations"):
        for number, line in enumerate(path.read_text().splitlines(), start=1):
            for match in IGNORE.finditer(line):
                coverage = match["kind"].startswith("pragma")
                if not (match["codes"] or coverage) or not re.search(r"[a-z]{2,}", match["reason"]):
                    found.append(at(path, number, f"name the rule, and the reason after it: {line.strip()}"))
    assert not found, "\n".join(found)


def test_nothing_names_a_machine_or_a_registry() -> None:
    found = []
    for path in tracked_files():
        if path.suffix not in TEXT_SUFFIXES:
            continue
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), start=1):
            if match := ELSEWHERE.search(line):
                found.append(at(path, number, match[0]))
    assert not found, "\n".join(found)
