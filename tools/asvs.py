"""Writes the table of ASVS ids in docs/security.md from the marks of the tests, and checks what the page says.

``python tools/asvs.py`` writes; ``--check`` says what is stale and fails. Nothing is imported, so it takes a second.
"""

import ast
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "security.md"
NO_TEST = "**No test.**"

_BEGIN, _END = "<!-- written by tools/asvs.py -->", "<!-- end -->"
_LINK = re.compile(r"\[([0-9., ]+)\]\(\.\./([\w/.-]+\.py)\)")
_LINE = re.compile(r"^- (.+(?:\n  .+)*)", re.MULTILINE)


def main() -> int:
    marks = marked_tests()
    text = PAGE.read_text()
    problems = [*wrong_lines(text, marks)]
    if "--check" in sys.argv:
        problems += stale_rows(text, marks)
    else:
        PAGE.write_text(with_table(text, marks))
    lines = [*_LINE.finditer(text)]
    untested = sum(NO_TEST in line[0] for line in lines)
    print("\n".join(problems) or f"{len(lines)} lines, {untested} without a test; {len(marks)} ids")
    return 1 if problems else 0


def marked_tests() -> dict[str, set[str]]:
    """By ASVS id, the files with tests that show it."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        module = ast.parse(path.read_text())
        of_all = {each for node in module.body if _is_pytestmark(node) for each in _ids(node)}
        for ids in _tests(module):
            for each in of_all | ids:
                found[each].add(str(path.relative_to(ROOT)))
    return found


def wrong_lines(text: str, marks: dict[str, set[str]]) -> Iterator[str]:
    """What is wrong with lines of the page: each names ids and a file whose tests have these marks, or says that none
    does.
    """
    for line in _LINE.finditer(text.partition(_BEGIN)[0]):
        links = _LINK.findall(line[1])
        if not links and NO_TEST not in line[1]:
            yield f"names no test: {line[1]}"
        for ids, path in links:
            for each in ids.replace(" ", "").split(","):
                if path not in marks.get(each, ()):
                    yield f"{path} has no test that is marked with {each}"


def stale_rows(text: str, marks: dict[str, set[str]]) -> Iterator[str]:
    """Rows that name what is marked no more. A new mark alone makes no row wrong, so that branches do not collide."""
    for row in re.finditer(r"^\| ([0-9.]+) \| (.+) \|$", text, re.MULTILINE):
        for path in re.findall(r"\(\.\./([^)]+)\)", row[2]):
            if path not in marks.get(row[1], ()):
                yield f"docs/security.md is stale: {path} shows {row[1]} no more. Run 'just asvs'."


def with_table(text: str, marks: dict[str, set[str]]) -> str:
    """The page with the table as the marks are now."""
    rows = [
        f"| {each} | {', '.join(f'[{Path(file).stem}](../{file})' for file in sorted(files))} |"
        for each, files in sorted(marks.items(), key=lambda item: [int(part) for part in item[0].split(".")])
    ]
    table = "\n".join(["| ASVS | shown by |", "| --- | --- |", *rows])
    before, _, rest = text.partition(_BEGIN)
    return f"{before}{_BEGIN}\n{table}\n{_END}{rest.partition(_END)[2]}"


def _is_pytestmark(node: ast.stmt) -> bool:
    return isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "pytestmark" for t in node.targets)


def _tests(module: ast.Module) -> Iterator[set[str]]:
    """For each test function, also of classes, the ids of its own decorators and those of its class."""
    for node in module.body:
        is_class = isinstance(node, ast.ClassDef)
        outer = {each for decorator in node.decorator_list for each in _ids(decorator)} if is_class else set[str]()
        for function in node.body if is_class else [node]:
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef) and function.name.startswith("test_"):
                yield outer | {each for item in function.decorator_list for each in _ids(item)}


def _ids(node: ast.AST) -> Iterator[str]:
    for call in ast.walk(node):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "asvs":
            values = (item.value for item in call.args if isinstance(item, ast.Constant))
            yield from (value for value in values if isinstance(value, str))


if __name__ == "__main__":
    sys.exit(main())
