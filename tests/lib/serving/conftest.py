import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.processes import Server, free_port

HERE = Path(__file__).parent

StartToy = Callable[..., Server]


@pytest.fixture
def start_toy(tmp_path: Path) -> Iterator[StartToy]:
    """Starts the toy from a copy of its own, so that a test may edit it."""
    with ExitStack() as stack:

        def start(workers: int = 1, drain_seconds: float = 0.0, *, reload: bool = False, **environ: str) -> Server:
            code = tmp_path / "code"
            code.mkdir()
            for name in ("toy_app.py", "launch.py"):
                shutil.copy(HERE / name, code)
            port = free_port()
            watched = [str(code)] if reload else []
            command = [sys.executable, str(code / "launch.py"), str(port), str(workers), str(drain_seconds), *watched]
            return stack.enter_context(Server(command, tmp_path, port, environ))

        yield start
