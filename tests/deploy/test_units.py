"""The units of systemd, by its own check. That they run under systemd is not shown here."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.deploy.conftest import DEPLOY

UNITS = DEPLOY / "systemd"
SCRIPT = UNITS / "lodestar-app"
INSTANCES = {
    "lodestar.service": "lodestar@.service",
    "lodestar-worker.service": "lodestar-worker@.service",
}


@pytest.mark.parametrize("name", [*INSTANCES, *INSTANCES.values()])
def test_systemd_takes_the_unit(name: str, tmp_path: Path) -> None:
    text = (UNITS / name).read_text()
    for program in ("/opt/lodestar/venv/bin/app", "/opt/lodestar/%i/venv/bin/app"):
        text = text.replace(program, "/bin/true")  # it has to be there
    (tmp_path / name).write_text(text)

    verify(tmp_path / name.replace("@.", "@8001."))


@pytest.mark.parametrize("unit", ["lodestar", "lodestar@8002"])
def test_commands_run_with_what_the_unit_has(unit: str, tmp_path: Path) -> None:
    """As far as it goes without systemd: its command is printed, and its properties are those of a unit."""
    systemctl = tmp_path / "systemctl"  # it needs the running systemd
    systemctl.write_text(f'#!/bin/sh\n[ "$1 $3" = "cat {unit}.service" ] && cat {UNITS}/{template_of(unit)}\n')
    systemctl.chmod(0o700)
    environ = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    command = [str(SCRIPT), "--print", "--unit", unit, "users", "create", "a $name"]

    printed = subprocess.run(command, env=environ, capture_output=True, text=True, check=True).stdout.splitlines()  # noqa: S603 - ours

    words, [program, *arguments] = printed[: printed.index("--")], printed[printed.index("--") + 1 :]
    folder = "/opt/lodestar/8002" if unit.endswith("8002") else "/opt/lodestar"
    assert [program, *arguments] == [f"{folder}/venv/bin/app", "users", "create", "a $$name"]
    [name] = [word.removeprefix("--unit=") for word in words if word.startswith("--unit=")]
    properties = [word.removeprefix("--property=") for word in words if word.startswith("--property=")]
    named = [
        line.replace("%d", f"/run/credentials/{name}.service").replace("%i", "8002")
        for line in lines_of(UNITS / template_of(unit))
        if line.partition("=")[0] in {"User", "Group", "WorkingDirectory", "Environment", "LoadCredential", "UMask"}
    ]
    assert {"EnvironmentFile=/etc/lodestar/service.env", f"WorkingDirectory={folder}/service", *named} <= {*properties}
    assert not any("%" in each for each in properties)
    written = tmp_path / f"{name}.service"
    written.write_text("\n".join(("[Service]", *properties, "ExecStart=/bin/true", "")))
    verify(written)


def test_the_shell_finds_no_fault_in_the_script() -> None:
    shellcheck = shutil.which("shellcheck")
    assert shellcheck is not None
    command = [shellcheck, str(SCRIPT)]
    found = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - its own
    assert found.stdout == ""


@pytest.mark.parametrize("name", INSTANCES)
def test_an_instance_differs_from_the_unit_by_its_port_alone(name: str) -> None:
    plain, template = (lines_of(UNITS / each) for each in (name, INSTANCES[name]))

    assert [
        line.replace("/%i", "").replace("1%i", "18000") for line in template if line != "Environment=PORT=%i"
    ] == plain


def verify(unit: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    assert analyze is not None
    found = subprocess.run([analyze, "verify", unit], capture_output=True, text=True, check=False)  # noqa: S603 - systemd's own
    assert found.stdout + found.stderr == ""
    assert found.returncode == 0


def template_of(unit: str) -> str:
    return f"{unit.partition('8')[0]}.service"


def lines_of(unit: Path) -> list[str]:
    """Without the comment at the top, and the description."""
    text = unit.read_text()
    return [line for line in text[text.index("[Unit]") :].splitlines() if not line.startswith("Description=")]
