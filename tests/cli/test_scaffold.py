import shutil
import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest

from app.cli.scaffold import writing
from app.cli.scaffold.fields import EXAMPLE, parse_field
from app.cli.scaffold.formatting import require_ruff, tidy
from app.cli.scaffold.naming import names_of
from app.cli.scaffold.removal import remove_domain
from app.cli.scaffold.wiring import unwire, wire, wiring_of
from app.cli.scaffold.writing import render, write_domain
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
        (("tags",), "there is a route /api/v1/tags already"),
        (("settings",), "there is a name settings in app/asgi.py already"),
        (("gears", "--singular", "user"), "there is an event of a user already"),
        (("wikis_of_x",), "'wikis_of_x' is not a name"),
        (("webthrees2",), "'webthrees2' is not a name"),
        (("fts_things",), "'fts_things' is not a name"),
        (("very_long_names_for_very_small_things",), "36 characters at most"),
        (("readers",), "there is a name Reader in the code already"),
        (("texts",), "there is a name Text in the code already"),
        (("queries",), "there is a name Queries in the code already"),
        (("data_sets", "--singular", "data"), "there is a name data in the code already"),
        (("charts", "--field", "date:date"), "'date' has a meaning of its own"),
        (("charts", "--field", "seen:datetime"), "such as seen_at"),
        (("charts", "--field", "part:uuid"), "such as part_id"),
        (("charts", "--field", "author_id:uuid"), "for which --owned is the way"),
        (("charts", "--field", "zip_code:str"), "'zip_code' reads like a secret"),
        (("charts", "--field", "price:money"), "there is no such kind. Kinds: name:str(100), note:text,"),
        (("charts", "--field", "price"), "'price' is not a field. Kinds: name:str(100), note:text,"),
        (("charts", "--field", "a:text(9000)", "--field", "b:text(9000)"), "give texts and lists a length"),
        (("charts", "--field", "a:list[str(100)](500)"), "give texts and lists a length"),
        (("charts", "--field", "a:list[str](7)"), "a:list[str(50)](7) is at most 7 texts, a:list[str(7)] texts of"),
        (("charts", "--field", "a:list[str(0)]"), "'0' is no number from 1 to 10000"),
        (("charts", "--field", "a:list[str(5)](x)"), "'x' is no number from 1 to 10000"),
        (("charts", "--field", "a:list[int]"), "there is no such kind"),
        (("charts", "--field", "a:int(7)"), "only str, text and list take a length"),
        (("charts", "--field", "kinds:list[str]"), "'kinds' has a meaning of its own"),
        (("charts", "--field", "to_dict:str"), "'to_dict' has a meaning of its own"),
        (("charts", "--field", "name:text"), "each field needs a name of its own"),
        (("charts", "--field", "a_1:int", "--field", "a1:int"), "each field needs a name of its own"),
    ],
)
def test_a_name_that_is_taken_is_refused_in_a_line(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], reason: str
) -> None:
    monkeypatch.setattr(writing, "wire", None)  # nothing may be written into this checkout
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


@pytest.mark.parametrize("text", ["name:str(1)", "name:text(1)", "tags:list[str(1)](1)"])
def test_examples_of_a_field_fit_its_length(text: str) -> None:
    field = parse_field(text)

    assert all(len(each) == 1 for value in (field.first, field.second) for each in value)
    assert repr(field.first) in field.wire
    assert field.first != field.second  # one is changed to the other


@pytest.mark.parametrize(
    ("text", "number", "length"),
    [
        ("tags:list[str]", 20, 50),
        ("tags:list[str(40)]", 20, 40),
        ("tags:list[str(40)](7)?", 7, 40),
        ("tags:list[str(1)](1)", 1, 1),
    ],
)
def test_a_list_has_a_limit_for_its_texts_and_for_their_number(text: str, number: int, length: int) -> None:
    wire = parse_field(text).wire

    assert wire.startswith(f"Annotated[list[Annotated[Line, Meta(max_length={length}, ")
    assert wire.endswith(f"], Meta(max_length={number})]")


def test_lines_of_a_domain_come_and_go_without_a_trace(tmp_path: Path) -> None:
    for path in ("app/asgi.py", "app/__init__.py", ".importlinter", "pyproject.toml"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, tmp_path / path)
    names = ["aardvarks", "mothers", "zebras"]
    before = source_of(tmp_path)

    for each in names:
        wire(tmp_path, each)
        tidy(tmp_path, wiring_of(tmp_path))
    added = source_of(tmp_path)[tmp_path / "app/asgi.py"].decode()
    for number, order in enumerate((names, names[::-1])):
        if number:
            for each in names:
                wire(tmp_path, each)
            tidy(tmp_path, wiring_of(tmp_path))
        for each in order:
            unwire(tmp_path, [each])
        assert source_of(tmp_path) == before

    assert "    system,\n    aardvarks,\n    mothers,\n    zebras,\n)" in added
    assert "from app.domain.aardvarks import aardvarks\nfrom app.domain.accounts import accounts\n" in added


def test_comments_between_the_domains_stay(tmp_path: Path) -> None:
    path = tmp_path / "app/asgi.py"
    path.parent.mkdir()
    shutil.copy(ROOT / ".importlinter", tmp_path)
    text = "from app.domain.posts import posts\n\nDOMAINS = (\n    posts,  # first, of course\n)\n"
    path.write_text(text)

    wire(tmp_path, "charts")
    assert "    posts,  # first, of course\n    charts,\n)" in path.read_text()
    unwire(tmp_path, ["charts"])
    assert path.read_text() == text


def test_every_combination_of_options_is_what_the_linter_wants(tmp_path: Path) -> None:
    """All are types checked and run in `just check-removal`, some of them."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    fields = [parse_field(each) for each in (*EXAMPLE.split(", "), "more:text?")]
    for number, (owned, event, job) in enumerate(product((False, True), repeat=3)):
        names = names_of("charts" + "abcdefgh"[number] + "s", None)
        for path, text in render(tmp_path, names, fields, {"owned": owned, "event": event, "job": job}).items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    written = sorted(tmp_path.rglob("*.py"))
    tidy(tmp_path, written)

    checked = subprocess.run(  # noqa: S603 - ours
        [require_ruff(), "check", "--no-cache", tmp_path], capture_output=True, text=True, check=False
    )

    assert len(written) > 80
    assert checked.returncode == 0, checked.stdout


MIGRATION = "revision = {0!r}\ndown_revision = {1!r}\ndef upgrade():\n    op.{2}({3!r})\n"


def test_migrations_of_a_domain_go_and_the_others_follow_what_these_have_followed(tmp_path: Path) -> None:
    versions = tmp_path / "migrations/versions"
    versions.mkdir(parents=True)
    history: dict[str, tuple[str | tuple[str, ...] | None, str, str]] = {
        "0001_users": (None, "create_table", "users"),
        "0002_charts": ("0001", "create_table", "charts"),
        "0003_wider": ("0002", "add_column", "users"),
        "0004_title": ("0002", "batch_alter_table", "charts"),
        "0005_merge": (("0003", "0004"), "execute", ""),
        "0006_more": ("0005", "add_column", "users"),
    }
    for name, (parents, change, table) in history.items():
        (versions / f"{name}.py").write_text(MIGRATION.format(name[:4], parents, change, table))
    (tmp_path / "tests").mkdir()
    folder = tmp_path / "app/domain/charts"
    folder.mkdir(parents=True)
    (folder / "__init__.py").touch()
    (folder / "models.py").write_text('__tablename__ = "charts"\n')
    (tmp_path / "app/asgi.py").write_text("from app.domain.charts import charts\n\nDOMAINS = (users, charts)\n")
    (tmp_path / ".importlinter").write_text("    auth | (charts)\n")

    gone, touched = remove_domain(tmp_path, "charts")

    left = {path.stem: path.read_text().splitlines()[1] for path in sorted(versions.iterdir())}
    assert gone == ["charts"]
    assert left == {
        "0001_users": "down_revision = None",
        "0003_wider": 'down_revision = "0001"',
        "0005_merge": 'down_revision = "0003"',
        "0006_more": "down_revision = '0005'",
    }
    assert {path.name for path in touched if path.parent == versions} == {
        *("0002_charts.py", "0003_wider.py", "0004_title.py", "0005_merge.py"),
    }
    assert (tmp_path / "app/asgi.py").read_text() == "\nDOMAINS = (users)\n"


def test_a_migration_of_two_domains_is_refused(tmp_path: Path) -> None:
    (tmp_path / "migrations/versions").mkdir(parents=True)
    folder = tmp_path / "app/domain/charts"
    folder.mkdir(parents=True)
    (folder / "__init__.py").touch()
    (folder / "models.py").write_text('__tablename__ = "charts"\n')
    both = "op.add_column('charts')\nop.add_column('users')\n"
    (tmp_path / "migrations/versions/0002_both.py").write_text(both)

    with pytest.raises(CommandFailed, match=r"0002_both\.py changes tables of other domains, too"):
        remove_domain(tmp_path, "charts")

    assert (folder / "models.py").exists()
