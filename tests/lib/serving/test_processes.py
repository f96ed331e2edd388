import asyncio
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.lib.serving.draining import DRAIN_SIGNAL, Draining
from app.lib.serving.processes import allow_files, die_with_parent
from tests.support.processes import until_gone

ORPHAN = """
import multiprocessing, os, pathlib, time
from app.lib.serving.processes import die_with_parent

def child(parent):
    while os.getppid() == parent:
        time.sleep(0.01)
    die_with_parent()
    pathlib.Path("survived").touch()

if __name__ == "__main__":
    process = multiprocessing.get_context("fork").Process(target=child, args=(os.getpid(),))
    process.start()
    print(process.pid, flush=True)
    os._exit(0)
"""

BETWEEN_RUNS = """
import asyncio, multiprocessing, os, signal, sys
import uvloop
from app.lib.serving.draining import Draining

def child():
    loop = uvloop.new_event_loop() if sys.argv[1] == "uvloop" else asyncio.new_event_loop()
    stopped = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    draining = Draining()
    lifespan = draining.lifespan(None)
    loop.run_until_complete(lifespan.__aenter__())
    os.kill(os.getpid(), signal.SIGTERM)
    loop.run_until_complete(stopped.wait())
    print("stopped", draining.is_set(), flush=True)

if __name__ == "__main__":
    process = multiprocessing.get_context("fork").Process(target=child, daemon=True)
    process.start()
    process.join(10)
    process.kill()
"""


def test_a_child_whose_parent_went_first_ends(tmp_path: Path) -> None:
    """The kernel's signal is asked for too late then."""
    command = [sys.executable, "-c", ORPHAN]
    found = subprocess.run(command, cwd=tmp_path, capture_output=True, check=True, text=True)  # noqa: S603 - ours

    until_gone({int(found.stdout)})

    assert not (tmp_path / "survived").exists()


@pytest.mark.parametrize("kind", ["asyncio", "uvloop"])
def test_a_signal_that_comes_while_the_loop_stands_still_is_not_lost(kind: str) -> None:
    command = [sys.executable, "-c", BETWEEN_RUNS, kind]
    found = subprocess.run(command, capture_output=True, check=True, text=True)  # noqa: S603 - ours

    assert found.stdout == "stopped True\n"


def test_a_process_that_is_nobodys_worker_is_left_alone() -> None:
    die_with_parent()


async def test_draining_is_announced_once_and_for_all() -> None:
    draining = Draining()
    announced = asyncio.Queue[str]()
    draining.on_end(lambda: announced.put("the end"))
    assert not draining.is_set()

    draining.set()
    draining.set()

    assert await announced.get() == "the end"
    assert draining.is_set()
    assert announced.empty()


async def test_signals_outside_a_worker_are_left_alone() -> None:
    numbers = (DRAIN_SIGNAL, signal.SIGTERM, signal.SIGINT)
    before = [signal.getsignal(number) for number in numbers]

    async with Draining().lifespan(None):
        assert [signal.getsignal(number) for number in numbers] == before


@pytest.fixture
def few_files() -> Iterator[int]:
    """A soft limit below the hard one; yields the hard one."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, before[1]))
    yield before[1] if before[1] != resource.RLIM_INFINITY else sys.maxsize
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_the_limit_of_open_files_is_raised_as_far_as_it_is_wanted_and_allowed(few_files: int) -> None:
    assert allow_files(2048) == min(2048, few_files)
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == min(2048, few_files)


def test_the_limit_of_open_files_is_never_lowered(few_files: int) -> None:
    assert allow_files(100) == 100
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == 1024
