"""Where the service can be installed, and which SQLite is too old."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.tags import Tag, compatible_tags, cpython_tags, mac_platforms
from packaging.utils import canonicalize_name, parse_wheel_filename

from app.lib.db import sqlite
from tests.support.environment import refusal

ROOT = Path(__file__).parents[1]
GNU = [*(f"manylinux_2_{minor}" for minor in range(28, 16, -1)), "manylinux2014", "manylinux2010", "manylinux1"]
MUSL = ["musllinux_1_2", "musllinux_1_1", "musllinux_1_0"]
PLATFORMS: dict[str, tuple[str, str, list[str]]] = {
    "x86_64, glibc": ("linux", "x86_64", [f"{each}_x86_64" for each in GNU]),
    "x86_64, musl": ("linux", "x86_64", [f"{each}_x86_64" for each in MUSL]),
    "aarch64, glibc": ("linux", "aarch64", [f"{each}_aarch64" for each in GNU]),
    "aarch64, musl": ("linux", "aarch64", [f"{each}_aarch64" for each in MUSL]),
    "macOS": ("darwin", "arm64", [*mac_platforms((13, 0), "arm64")]),
}
WITH_BUNDLED_SQLITE = {"x86_64, glibc", "x86_64, musl", "macOS"}


def pinned(python: str, system: str, machine: str) -> dict[str, str]:
    """What containers install there, by name."""
    here = {"sys_platform": system, "platform_machine": machine, "platform_system": system.capitalize()}
    here |= {"python_version": python, "python_full_version": f"{python}.5", "os_name": "posix", "extra": ""}
    lines = re.findall(r"^[^\s#-][^\\\n]*", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    found = [Requirement(line.strip()) for line in lines]
    wanted = [each for each in found if each.marker is None or each.marker.evaluate(here)]
    return {canonicalize_name(each.name): str(each.specifier).removeprefix("==") for each in wanted}


def tags_of(python: str, platforms: list[str]) -> Iterator[Tag]:
    version = tuple(int(part) for part in python.split("."))
    yield from cpython_tags(version, platforms=platforms)
    yield from compatible_tags(version, platforms=platforms)


@pytest.fixture(scope="module")
def wheels() -> dict[tuple[str, str], list[frozenset[Tag]]]:
    """The tags of the wheels of each package, from the lock file of development, which has their names."""
    packages = tomllib.loads((ROOT / "uv.lock").read_text())["package"]
    return {
        (each["name"], each["version"]): [
            parse_wheel_filename(wheel["url"].rpartition("/")[2])[3] for wheel in each.get("wheels", ())
        ]
        for each in packages
        if "version" in each
    }


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
def test_everything_for_production_has_wheels(
    wheels: dict[tuple[str, str], list[frozenset[Tag]]], python: str, platform: str
) -> None:
    system, machine, platforms = PLATFORMS[platform]
    tags = set(tags_of(python, platforms))
    pins = pinned(python, system, machine)

    missing = [pin for pin in pins.items() if not any(tags & each for each in wheels[pin])]

    assert missing == []
    assert len(pins) > 40
    assert ("pysqlite3" in pins) is (platform in WITH_BUNDLED_SQLITE)


def test_an_sqlite_that_is_too_old_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "VERSION", (3, 39, 4))

    assert refusal(DATABASE_URL="sqlite:///app.db") == (
        "DATABASE_URL: SQLite 3.40 or newer is needed, and this Python has 3.39.4; use PostgreSQL instead"
        " (set in the environment)"
    )
