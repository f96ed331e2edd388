"""Every `app …` and `just …` in a document exists, with the options that it is given, and so does every setting."""

import re
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec

from app.asgi import DOMAINS
from app.cli import main
from app.config import Settings
from app.lib.settings import described_fields, variable_name
from tests.architecture.test_house_rules import ROOT, at
from tests.support.each import each
from tools.site import pages

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SHELLS = {"", "sh", "bash", "console", "text", "yaml", "ini"}
INLINE = re.compile(r"`((?:uv run (?:--\S+ )?|[A-Z_]+=\S* )*(?:app|just) [^`]+)`")
COMMAND = re.compile(r"(?:^|(?<=[\s\"(=]))(app|just) (?!=)([^|;&#>)\n\"]*)")
RECIPE = re.compile(r"^([a-z][\w-]*)(?: [^:\n]*)?:(?!=)", re.MULTILINE)
VARIABLE = re.compile(r"(?:`|^\s*(?:export )?)([A-Z][A-Z0-9]+_[A-Z0-9_]+)(?:=|`)", re.MULTILINE)
OTHERS = re.compile("NAME|AS_USER|TEST_DATABASE_URL|OTEL_.*")
"""Variables of documents that are no settings."""
KINDS: list[type[msgspec.Struct]] = [Settings, *(domain.settings for domain in DOMAINS if domain.settings)]
SETTINGS = {variable_name(field.name) for kind in KINDS for field in described_fields(kind)}
RECIPES = set(RECIPE.findall((ROOT / "justfile").read_text()))


def commands_in(page: Path) -> Iterator[tuple[int, str, list[str]]]:
    """Line, `app` or `just`, and its words, from blocks for a shell and from code in a sentence."""
    text = page.read_text()
    parts = [(block.start(2), block[2].replace("\\\n", "  ")) for block in FENCE.finditer(text) if block[1] in SHELLS]
    prose = FENCE.sub(lambda block: re.sub(r"[^\n]", " ", block[0]), text)
    parts += [(code.start(1), code[1].replace("\n", " ")) for code in INLINE.finditer(prose)]
    for start, code in parts:
        for found in COMMAND.finditer(code):
            yield text.count("\n", 0, start + found.start()) + 1, found[1], found[2].split()


def wrong(program: str, words: list[str]) -> str:
    """What does not exist, or nothing."""
    if program == "just":
        return next((word for word in words[:1] if word not in RECIPES and word[0].isalpha() and word.islower()), "")
    command: click.Command = main
    context = click.Context(main)
    while isinstance(command, click.Group) and words and re.fullmatch("[a-z][a-z-]*", words[0]):
        inner = command.get_command(context, words[0])
        if inner is None:
            return words[0]
        command, words = inner, words[1:]
    known = {name for parameter in command.get_params(context) for name in (*parameter.opts, *parameter.secondary_opts)}
    options = [word.partition("=")[0] for word in words if re.match("--?[a-z]", word)]
    return next((option for option in options if option not in known), "")


@each([str(page.relative_to(ROOT)) for page in pages() if page.name != "CHANGELOG.md"])
def test_commands_and_options_exist(name: str) -> None:
    """Not in the changelog, which names old ones, too."""
    found = [
        at(ROOT / name, line, f"{program} {' '.join(words)}: there is no {missing}")
        for line, program, words in commands_in(ROOT / name)
        if (missing := wrong(program, words))
    ]
    assert not found, "\n".join(found)


@each(
    [str(page.relative_to(ROOT)) for page in pages() if page.name != "CHANGELOG.md" and page.parent.name != "decisions"]
)
def test_settings_exist(name: str) -> None:
    found = {variable.removesuffix("_FILE") for variable in VARIABLE.findall((ROOT / name).read_text())}
    named = {variable for variable in found if not OTHERS.fullmatch(variable)}

    assert named <= {setting.removesuffix("_FILE") for setting in SETTINGS}


def test_the_check_finds_what_is_wrong() -> None:
    assert wrong("app", ["db", "upgrade", "head"]) == ""
    assert wrong("app", ["db", "update"]) == "update"
    assert wrong("app", ["db", "check", "--jsn"]) == "--jsn"
    assert wrong("app", ["serve", "--workers=2", "--wrokers", "2"]) == "--wrokers"
    assert wrong("just", ["tset"]) == "tset"
