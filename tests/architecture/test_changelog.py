"""CHANGELOG.md has the form of Keep a Changelog 1.1, so that people and programs find their way."""

import re
import tomllib
from datetime import date

from tests.architecture.test_house_rules import ROOT

TEXT = (ROOT / "CHANGELOG.md").read_text()
SECTIONS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
RELEASE = re.compile(r"\[(\d+)\.(\d+)\.(\d+)\] - (\d{4}-\d{2}-\d{2})")


def test_it_has_versions_with_sections_and_entries() -> None:
    head, *versions = re.split(r"^## ", TEXT, flags=re.MULTILINE)

    assert head.startswith("# Changelog\n")
    assert versions[0].startswith("[Unreleased]\n")
    for version in versions:
        title, *sections = re.split(r"^### ", version, flags=re.MULTILINE)
        names = [section.partition("\n")[0] for section in sections]
        assert set(names) <= SECTIONS, title
        assert len(names) == len(set(names)), title
        assert all(re.match(r".*\n(?:- |\| )\S", section) for section in sections), title
        assert not title.partition("\n")[2].strip(), "entries stand in a section"


def test_releases_come_newest_first_and_end_with_that_of_the_project() -> None:
    titles = re.findall(r"^## (.*)$", TEXT, re.MULTILINE)[1:]
    releases = [RELEASE.fullmatch(title) for title in titles]
    assert all(releases), titles
    found = [(tuple(map(int, each.groups()[:3])), date.fromisoformat(each[4])) for each in releases if each]
    current = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]

    assert found == sorted(found, reverse=True)
    assert not found or ".".join(map(str, found[0][0])) == current
