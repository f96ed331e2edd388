"""The units of systemd, by its own check. That they run under systemd is not shown here."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.deploy.conftest import DEPLOY

UNITS = DEPLOY / "systemd"
INSTANCES = {
    "lodestar.service": "lodestar@.service",
    "lodestar-worker.service": "lodestar-worker@.service",
}


@pytest.mark.parametrize("name", [*INSTANCES, *INSTANCES.values()])
def test_systemd_takes_the_unit(name: str, tmp_path: Path) -> None:
    text = (UNITS / name).read_text()
    for program in ("/opt/lodestar/venv/bin/app", "/opt/lodestar/%i/venv/bin/app"):
        text = text.replace(program, "/bin/true")  # it has to be there
    unit = tmp_path / name.replace("@.", "@8001.")
    (tmp_path / name).write_text(text)
    analyze = shutil.which("systemd-analyze")
    assert analyze is not None

    found = subprocess.run([analyze, "verify", unit], capture_output=True, text=True, check=False)  # noqa: S603 - systemd's own

    assert found.stdout + found.stderr == ""
    assert found.returncode == 0


@pytest.mark.parametrize("name", INSTANCES)
def test_an_instance_differs_from_the_unit_by_its_port_alone(name: str) -> None:
    plain, template = (lines_of(UNITS / each) for each in (name, INSTANCES[name]))

    assert [
        line.replace("/%i", "").replace("1%i", "18000") for line in template if line != "Environment=PORT=%i"
    ] == plain


def lines_of(unit: Path) -> list[str]:
    """Without the comment at the top, and the description."""
    text = unit.read_text()
    return [line for line in text[text.index("[Unit]") :].splitlines() if not line.startswith("Description=")]
