"""The secret key that is made where none is set."""

import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app.config import Settings
from app.environment import read_settings, with_secret_key
from app.lib.settings import ConfigurationError
from tests.support.environment import settings_from

ROOT = Path(__file__).parent.parent
GOOD_SECRET = "u6Yp3ZrQw9Lk2Vx8Nt4Bs7Hd1Fg5Jc0Ma"
POSTGRESQL = "postgresql+asyncpg://ann@db.internal/app"


def at(folder: Path) -> Settings:
    return settings_from(DATABASE_URL=f"sqlite:///{folder}/deep/x.db")


def test_a_missing_secret_is_made_once_and_kept(tmp_path: Path) -> None:
    first, second = with_secret_key(at(tmp_path)), with_secret_key(at(tmp_path))
    path = tmp_path / "deep" / "secret_key"

    assert first.signing_secret == second.signing_secret == path.read_text()
    assert len(first.signing_secret) >= 64
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["secret_key"]
    assert with_secret_key(at(tmp_path / "other")).signing_secret != first.signing_secret


def test_a_secret_that_is_set_is_used(tmp_path: Path) -> None:
    settings = settings_from(DATABASE_URL=f"sqlite:///{tmp_path}/x.db", SECRET_KEY=GOOD_SECRET)

    assert with_secret_key(settings) is settings
    assert list(tmp_path.iterdir()) == []


def test_for_postgresql_the_secret_lies_in_the_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    settings = with_secret_key(settings_from(DATABASE_URL=POSTGRESQL))

    assert settings.signing_secret == (tmp_path / "data" / "secret_key").read_text()


def test_threads_that_start_together_agree_on_one_secret(tmp_path: Path) -> None:
    with ThreadPoolExecutor(20) as pool:
        made = list(pool.map(lambda _: with_secret_key(at(tmp_path)).signing_secret, range(20)))

    assert len(set(made)) == 1
    assert [file.name for file in (tmp_path / "deep").iterdir()] == ["secret_key"]


def test_what_the_file_sets_for_opentelemetry_is_there_for_its_sdk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("OTEL_SERVICE_NAME=from-file\nOTEL_TRACES_SAMPLER=always_off\nPORT=8001\n")
    monkeypatch.setattr(os, "environ", {"OTEL_TRACES_SAMPLER": "always_on"})

    settings, _ = read_settings((), env_file=tmp_path / ".env")

    assert settings.port == 8001
    assert os.environ == {"OTEL_SERVICE_NAME": "from-file", "OTEL_TRACES_SAMPLER": "always_on"}


FORKS = """
import os, sys
from app.asgi import load_settings
from app.environment import read_settings, with_secret_key

settings = load_settings({"DATABASE_URL": sys.argv[1]}, None)[0]
gate, open_gate = os.pipe()
children = []
for _ in range(20):
    child = os.fork()
    if not child:
        os.close(open_gate)
        os.read(gate, 1)
        os.write(1, (with_secret_key(settings).signing_secret + "\\n").encode())
        os._exit(0)
    children.append(child)
os.close(open_gate)
sys.exit(max(os.waitpid(child, 0)[1] for child in children))
"""


def test_processes_that_start_together_agree_on_one_secret(tmp_path: Path) -> None:
    command = [sys.executable, "-c", FORKS, f"sqlite:///{tmp_path}/deep/x.db"]

    result = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True)  # noqa: S603 - ours

    lines = result.stdout.splitlines()
    assert len(lines) == 20
    assert set(lines) == {(tmp_path / "deep" / "secret_key").read_text()}


def test_a_secret_that_cannot_be_kept_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "deep").write_text("a file where a folder should be")

    with pytest.raises(ConfigurationError) as caught:
        with_secret_key(at(tmp_path))

    assert str(caught.value).startswith("SECRET_KEY: not set, and ")
    assert len(str(caught.value).splitlines()) == 1
