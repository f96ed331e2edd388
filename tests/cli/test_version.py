"""``app version``: what runs here."""

import json
import platform
import re
import tomllib
from pathlib import Path

import pytest

from app.cli import version as module
from tests.cli.conftest import Cli

ROOT = Path(__file__).parents[2]


def test_it_says_what_runs_here_without_settings_or_a_database(cli: Cli, tmp_path: Path) -> None:
    shown = json.loads(cli("version", "--json", DATABASE_URL="nonsense", PORT="many").stdout)

    assert shown["version"] == tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert shown["python"] == platform.python_version()
    assert list((ROOT / "migrations/versions").glob(f"{shown['migration']}*.py"))
    assert shown["revision"] is None or re.fullmatch("[0-9a-f]{40}(-dirty)?", shown["revision"])
    assert list(tmp_path.iterdir()) == []
    assert cli("version").stdout.splitlines()[1] == f"version    {shown['version']}"


def test_an_image_knows_what_it_was_built_from(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ROOT", tmp_path)
    assert json.loads(cli("version", "--json").stdout)["revision"] is None
    (tmp_path / "REVISION").write_text("0f3c")
    assert json.loads(cli("version", "--json").stdout)["revision"] == "0f3c"
