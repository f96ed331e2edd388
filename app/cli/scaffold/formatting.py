"""Formats what a command writes into this checkout."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from app.lib.cli.errors import CommandFailed


def require_ruff() -> str:
    """Its path. Raises ``CommandFailed``."""
    ruff = shutil.which("ruff", path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}")
    if ruff is None:
        raise CommandFailed("ruff is not installed: run 'uv sync' first.")
    return ruff


def tidy(root: Path, paths: Sequence[Path]) -> None:
    """Orders and formats them as `just lint` wants it."""
    python, ruff = [str(path) for path in paths if path.suffix == ".py"], require_ruff()
    for command in (("check", "--fix", "--quiet", "--select", "F401,I,F541,RUF022"), ("format", "--quiet")):
        subprocess.run([ruff, *command, *python], cwd=root, check=True, capture_output=True, text=True)  # noqa: S603 - ours
