"""The documentation: each page has a place on the site, and reads alike there and where the files are."""

import re
import tomllib

from tests.architecture.test_house_rules import ROOT, at
from tests.support.each import each
from tools.site import dead_links, pages

CODE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
JOINED_LIST = re.compile(r"^(?![-#]|\d+\. |\s)(.*\S.*)\n(?:- |1\. )", re.MULTILINE)
"""A list that follows a paragraph without an empty line is one on GitHub, and part of the paragraph on the site."""


def test_the_navigation_has_every_page() -> None:
    nav = str(tomllib.loads((ROOT / "zensical.toml").read_text())["project"]["nav"])
    decisions = (ROOT / "docs/decisions/README.md").read_text()
    missing = []
    for page in pages():
        is_decision = page.parent.name == "decisions" and page.name != "README.md"
        name = page.name if is_decision else str(page.relative_to(ROOT))
        if name not in (decisions if is_decision else nav):
            missing.append(name)
    assert not missing, "add it to zensical.toml, a record to docs/decisions/README.md"


@each([str(page.relative_to(ROOT)) for page in pages()])
def test_links_lead_to_files(name: str) -> None:
    """Anchors are checked by `just docs`."""
    assert not list(dead_links(ROOT / name))


@each([str(page.relative_to(ROOT)) for page in pages()])
def test_lists_have_an_empty_line_before_them(name: str) -> None:
    text = CODE.sub(lambda block: "\n" * block[0].count("\n"), (ROOT / name).read_text())
    found = [at(ROOT / name, text.count("\n", 0, match.end()) + 1, match[1]) for match in JOINED_LIST.finditer(text)]

    assert not found
