"""Folders and users that others choose: containers run as a number, on a file system that cannot be written."""

import os
import pwd
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.core import MIGRATIONS
from app.lib.db.migrations import Migrations
from app.lib.db.url import DatabaseURL
from tests.cli.conftest import Cli, refusal, text_of
from tests.support.processes import PATIENCE, Server, app_command, free_port

SECRET = "pT4vQ8xW2zR6nM0kB5jH9gF3dS7aL1cY"
RUN = "from app.cli import main\nmain()"
NAMELESS = """
import pwd
import re
def unknown(number):
    raise KeyError(number)
pwd.getpwuid = unknown
"""
NO_TEMPORARY_FOLDER = "import tempfile\ntempfile.tempdir = '/nowhere'\n"
A_NUMBER = 12_345
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - looked at, not written to


def program(text: str, *arguments: str) -> list[str]:
    return [sys.executable, "-c", text + RUN, *arguments]


def run(command: list[str], folder: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """With these variables alone."""
    return subprocess.run(  # noqa: S603 - our own command
        command, cwd=folder, env=environ, capture_output=True, text=True, check=False, timeout=PATIENCE
    )


async def test_code_and_data_may_lie_in_folders_of_any_name(tmp_path: Path) -> None:
    odd = tmp_path / "100%(here)s sure # 50%25"
    shutil.copytree(MIGRATIONS, odd / "migrations")
    migrations = Migrations(DatabaseURL.parse(f"sqlite:///{odd}/data/own.db"), odd / "migrations")

    await migrations.upgrade()

    assert await migrations.current() == migrations.head
    assert (odd / "data" / "own.db").is_file()


def test_a_number_without_a_name_and_a_home_serves(own_url: DatabaseURL, tmp_path: Path) -> None:
    port = free_port()
    environ = {"DATABASE_URL": text_of(own_url), "SECRET_KEY": SECRET, "PORT": str(port), "WORKERS": "2"}
    command = ["env", "-u", "HOME", "-u", "USER", "-u", "LOGNAME", "PATH=/nowhere", *program(NAMELESS, "serve")]
    with Server(command, tmp_path, port, environ) as server:
        server.until_it_answers("/health/ready")
        assert server.get("/docs").status_code == 200


def test_a_number_without_a_name_has_to_name_the_user_of_the_database(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(number: int) -> None:
        raise KeyError(number)

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    url = "postgresql://127.0.0.1:1/x"
    nameless = refusal(cli("db", "current", DATABASE_URL=url), 3)
    named = cli("db", "current", DATABASE_URL=url, PGUSER="ann")

    assert nameless.startswith("Error: DATABASE_URL: its user has to be named")
    assert named.exit_code == 4


@pytest.mark.parametrize(
    ("arguments", "code"), [(["serve"], 3), (["users", "list"], 3), (["db", "upgrade"], 4), (["check"], 1)]
)
def test_what_cannot_be_written_is_named_in_a_line(cli: Cli, arguments: list[str], code: int) -> None:
    line = refusal(cli(*arguments, DATABASE_URL="sqlite:////proc/lodestar/own.db"), code)

    assert "/proc/lodestar" in line or "migrations" in line


def test_several_workers_need_no_temporary_folder_where_there_is_shared_memory(tmp_path: Path) -> None:
    if not SHARED_MEMORY.is_dir():
        pytest.skip("there is no shared memory to write to")
    port = free_port()
    command = program(NO_TEMPORARY_FOLDER, "serve", "--workers", "2")
    with Server(command, tmp_path, port, {"PORT": str(port), "METRICS_TOKEN": SECRET}) as server:
        server.until_it_answers("/health/ready")
        scraped = server.get("/metrics", Authorization=f"Bearer {SECRET}")
        server.end()

    assert "http_requests" in scraped.text


def test_several_workers_without_any_folder_say_what_they_need(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")
    monkeypatch.setattr("app.cli.serve._PLACES", (None,))

    assert refusal(cli("serve", WORKERS="2", PORT=str(free_port()), SECRET_KEY=SECRET), 1) == (
        "Error: Several workers need a folder for temporary files. Name one in TMPDIR, or set WORKERS=1."
    )


def test_a_folder_for_metrics_that_is_not_there_is_refused(cli: Cli) -> None:
    said = refusal(cli("serve", PROMETHEUS_MULTIPROC_DIR="/nowhere", PORT=str(free_port()), SECRET_KEY=SECRET), 3)

    assert said.startswith("Error: PROMETHEUS_MULTIPROC_DIR: expected a folder that can be written")


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Which another user may enter and write."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o777)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def as_a_number() -> list[str]:
    """What a command begins with to run as a user who has no name, home or group here."""
    setpriv = shutil.which("setpriv")
    if setpriv is None or os.geteuid() != 0:
        pytest.skip("only root becomes another user, by setpriv")
    begin = [setpriv, f"--reuid={A_NUMBER}", f"--regid={A_NUMBER}", "--clear-groups"]
    if run([*begin, *app_command("config", "show")], Path("/")).returncode:
        pytest.skip("another user may not enter the folder of this Python")
    return begin


def test_another_user_works_where_they_may_write(as_a_number: list[str], open_folder: Path) -> None:
    upgraded = run([*as_a_number, *app_command("db", "upgrade")], open_folder)
    checked = run([*as_a_number, *app_command("check")], open_folder)

    assert (upgraded.returncode, checked.returncode) == (0, 0), upgraded.stderr + checked.stdout


@pytest.mark.parametrize("arguments", [["check"], ["serve"], ["db", "upgrade"]])
def test_another_user_learns_what_may_not_be_read(
    as_a_number: list[str], open_folder: Path, arguments: list[str]
) -> None:
    shut = open_folder / "shut"
    shut.mkdir(0o700)
    command = [*as_a_number, *program("", *arguments)]  # without a supervisor, which executes Python once more
    in_a_shut_folder = run(["env", f"--chdir={shut}", *command], open_folder)
    with_shut_data = run(command, open_folder, DATABASE_URL=f"sqlite:///{shut}/own.db", SECRET_KEY=SECRET)

    assert in_a_shut_folder.returncode == 3
    assert re.search(r"\.env(: | +)[Cc]annot be read", in_a_shut_folder.stdout + in_a_shut_folder.stderr)
    assert with_shut_data.returncode == 4
    assert "The database sqlite+aiosqlite:///" in with_shut_data.stdout + with_shut_data.stderr
