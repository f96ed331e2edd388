"""What a worker process has to settle with the process that started it."""

import ctypes
import multiprocessing
import os
import resource
import signal
import sys

_PR_SET_PDEATHSIG = 1  # prctl(2)


def die_with_parent(parent: int | None = None) -> None:
    """Makes the kernel kill this process when the one that started it is gone, however it went.

    Without it ``kill -9`` of a server's main process leaves workers that keep serving. ``parent`` is by default the
    process that started this one through :mod:`multiprocessing`. Does nothing without one, and on other systems than
    Linux.
    """
    if parent is None and (starter := multiprocessing.parent_process()) is not None:
        parent = starter.pid
    if parent is None or sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it went before the call above, so no signal is going to come
        os.kill(os.getpid(), signal.SIGKILL)


def allow_files(wanted: int) -> int:
    """Raises the soft limit of open files of this process, and of those it starts, to ``wanted`` or as far as it may.

    Returns how many of them it may open then. The soft limit is 1 024 on most systems, which is for programs that
    still use ``select``, and every connection is an open file.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < limit:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    return limit


def prepare_forks() -> None:
    """Makes every process that is forked from this one from now on a well-behaved worker; see :func:`enter_worker`.

    A forked child runs with its parent's handlers until the server sets its own, which is after the app is
    loaded. A SIGTERM in that time would be swallowed, and the parent would wait for a worker that never ends.
    """
    saved: list[set[signal.Signals | int]] = []

    def block() -> None:
        saved.append(signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT}))

    def restore() -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, saved.pop())

    def enter() -> None:
        enter_worker()
        restore()
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})

    os.register_at_fork(before=block, after_in_parent=restore, after_in_child=enter)


def enter_worker() -> None:
    """Sets the signals of a worker that has not loaded its app yet.

    SIGTERM ends it at once. SIGHUP, and what :mod:`app.lib.serving.draining` waits for later, are nothing to it. SIGINT
    is blocked for good: a terminal sends Ctrl-C to all processes, and it is the main process that ends the workers.
    """
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
