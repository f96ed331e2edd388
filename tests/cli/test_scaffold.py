import shutil
import sys
from pathlib import Path

import pytest

from app.cli.scaffold.fields import parse_field
from app.cli.scaffold.naming import names_of
from app.cli.scaffold.writing import write_domain
from app.lib.cli.errors import CommandFailed
from tests.cli.conftest import Cli

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("class",), "'class' is a word of Python"),
        (("lists",), "'list' is a word of Python"),
        (("Spare-Parts",), "'Spare-Parts' is not a name"),
        (("sheep",), "name the singular with --singular"),
        (("users",), "there is a table users already"),
        (("events",), "there is a table events already"),
        (("crew", "--singular", "member"), "there is a schema MemberRead already"),
        (("my_profiles",), "there is an operation getMyProfile already"),
        (("readers",), "there is a name Reader in the code already"),
        (("texts",), "there is a name Text in the code already"),
        (("queries",), "there is a name Queries in the code already"),
        (("data_sets", "--singular", "data"), "there is a name data in the code already"),
        (("charts", "--field", "date:date"), "'date' has a meaning of its own"),
        (("charts", "--field", "to_dict:str"), "'to_dict' has a meaning of its own"),
        (("charts", "--field", "name:text"), "each field needs a name of its own"),
        (("charts", "--field", "a_1:int", "--field", "a1:int"), "each field needs a name of its own"),
    ],
)
def test_a_name_that_is_taken_is_refused_in_a_line(cli: Cli, arguments: tuple[str, ...], reason: str) -> None:
    result = cli("new", "domain", *arguments, "--owned", "--field", "name:str")

    assert result.exit_code == 2
    assert reason in " ".join(result.stderr.split())
    assert not (ROOT / "app/domain" / arguments[0]).exists()


@pytest.mark.parametrize("reason", [r"nothing is written: .*app\.cli", "ruff is not installed"])
def test_a_step_that_fails_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reason: str) -> None:
    for path in ("app/asgi.py", "app/__init__.py", "pyproject.toml", ".importlinter", "docs/openapi.json"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, tmp_path / path)
    before = source_of(tmp_path)
    if reason.startswith("ruff"):
        monkeypatch.setattr(sys, "executable", "/nowhere/python")
        monkeypatch.setenv("PATH", "/nowhere")

    with pytest.raises(CommandFailed, match=reason):
        write_domain(tmp_path, names_of("charts", None), [parse_field("name:str")], owned=True, event=False, job=False)

    assert source_of(tmp_path) == before


def source_of(root: Path) -> dict[Path, bytes]:
    """Without caches."""
    return {
        path: path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and "cache" not in str(path.relative_to(root))
    }


@pytest.mark.parametrize("text", ["name:str(1)", "name:text(1)", "tags:list[str](1)"])
def test_examples_of_a_field_fit_its_length(text: str) -> None:
    field = parse_field(text)

    assert all(len(each) == 1 for value in (field.first, field.second) for each in value)
    assert repr(field.first) in field.wire
