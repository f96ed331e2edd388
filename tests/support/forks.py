"""The `app` command in a process that is forked from one with its modules loaded, so that Python imports them once for
many tests, and without a supervisor. Tests of the start itself, and of its replacement, start ``python app …``.
"""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import ModuleType
from unittest.mock import patch

from app.cli import main

_context: ForkServerContext = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["tests.support.preloaded"])


class Fork:
    """What tests use of ``subprocess.Popen``, in a session of its own; ``arguments`` are those of `app`."""

    def __init__(
        self, arguments: Sequence[str], folder: Path, environ: Mapping[str, str], output: Path, errors: Path
    ) -> None:
        given = (list(arguments), str(folder), dict(environ), str(output), str(errors))
        self._process: BaseProcess = _context.Process(target=_run, args=given)
        with patch.dict(sys.modules, __main__=ModuleType("__main__")):  # which it would import, and that is pytest
            self._process.start()
        while self.poll() is None and os.getsid(self.pid) != self.pid:
            time.sleep(0.001)

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        code = self._process.exitcode
        if code is None:
            raise subprocess.TimeoutExpired("app", timeout or 0)
        return code

    def send_signal(self, number: signal.Signals) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)


def _run(arguments: list[str], folder: str, environ: dict[str, str], output: str, errors: str) -> None:
    """In the new process: becomes what a shell would have started, whose own workers are forks, too."""
    multiprocessing.set_start_method(None, force=True)  # the platform's own; the fork server leaves another one
    os.setsid()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environ)
    opened = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    for number, (path, flags) in enumerate(((os.devnull, os.O_RDONLY), (output, opened), (errors, opened))):
        os.dup2(os.open(path, flags, 0o600), number)
    sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w", buffering=1), open(2, "w", buffering=1)  # noqa: SIM115 - open for as long as the process
    sys.argv = [str(Path(sys.executable).with_name("app")), *arguments]
    sys.orig_argv = [sys.executable, *sys.argv]
    main()
