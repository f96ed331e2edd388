"""Where the service can be installed, and which SQLite is too old."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from app.lib.db import sqlite
from tests.support.environment import refusal

ROOT = Path(__file__).parents[1]
WITH_BUNDLED_SQLITE = {"x86_64-unknown-linux-gnu", "x86_64-unknown-linux-musl", "aarch64-apple-darwin"}
PLATFORMS = sorted(WITH_BUNDLED_SQLITE | {"aarch64-unknown-linux-gnu", "aarch64-unknown-linux-musl"})
UNREACHABLE = re.compile("Failed to fetch|error sending request|timed out|Could not connect")
MINUTES = 600.0


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
def test_everything_for_production_has_wheels(python: str) -> None:
    uv = shutil.which("uv")
    if uv is None:
        pytest.skip("uv is not installed")
    for platform in PLATFORMS:
        options = [
            "--no-annotate",
            "--only-binary=:all:",
            f"--python-platform={platform}",
            f"--python-version={python}",
        ]
        found = subprocess.run(  # noqa: S603 - fixed words
            [uv, "pip", "compile", "--no-python-downloads", *options, "pyproject.toml"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=MINUTES,
        )
        if found.returncode and UNREACHABLE.search(found.stderr):
            pytest.skip(f"the package registry cannot be reached: {found.stderr.splitlines()[0]}")
        assert found.returncode == 0, f"{platform}: {found.stderr}"
        assert ("\npysqlite3==" in found.stdout) is (platform in WITH_BUNDLED_SQLITE), platform


def test_an_sqlite_that_is_too_old_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "VERSION", (3, 39, 4))

    assert refusal(DATABASE_URL="sqlite:///app.db") == (
        "DATABASE_URL: SQLite 3.40 or newer is needed, and this Python has 3.39.4; use PostgreSQL instead"
    )
