"""requirements.lock is what containers install: complete hashes, no addresses, and as new as pyproject.toml."""

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LOCK = (ROOT / "requirements.lock").read_text()
PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;\\]+)", re.MULTILINE)


def direct_dependencies() -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return [Requirement(line) for line in project["dependencies"]]


def test_every_direct_dependency_is_pinned_within_its_range() -> None:
    pins = {canonicalize_name(match["name"]): match["version"] for match in PIN.finditer(LOCK)}

    stale = [
        f"{requirement}: locked {pins.get(canonicalize_name(requirement.name))}"
        for requirement in direct_dependencies()
        if not requirement.specifier.contains(pins.get(canonicalize_name(requirement.name), "0"))
    ]

    assert not stale, "run `just lock`:\n" + "\n".join(stale)


def test_every_pin_has_hashes_and_no_address() -> None:
    blocks = re.split(r"\n(?=\S)", LOCK.strip())

    assert [block.splitlines()[0] for block in blocks if "--hash=sha256:" not in block] == []
    assert "://" not in LOCK
    assert "--index-url" not in LOCK
