"""``app shell``: Python with the service's settings, reader and services at hand, and await at the top level."""

import ast
import code
import inspect
import re
import readline
import rlcompleter
import sys
import textwrap
import traceback
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from pkgutil import walk_packages
from types import CodeType, FunctionType
from typing import Any

import anyio.from_thread
import click
from sqlalchemy import select

from app.cli.process import make_core
from app.core import Core
from app.lib.audit import SYSTEM, Origin
from app.lib.cli.groups import load
from app.lib.cli.running import database_errors, require_usable, state_before
from app.lib.db.base import metadata
from app.lib.db.prepared import prepare
from app.lib.db.uow import UnitOfWork
from app.lib.observability.logging import configure_logging
from app.lib.pagination.parameters import PageRequest

_SERVICE = re.compile(r"[A-Z]\w+(?:Service|Queries)")
_WIDTH = 100

Run = Callable[[Callable[[], Any]], Any]
"""Calls a coroutine function on the loop that the core runs on, and waits for its result."""


@click.command()
@click.option("-c", "program", help="Run this and end.")
def shell(program: str | None) -> None:
    """Open a Python prompt (IPython, where it is installed) with the settings, the database and the services.

    `await` works at the prompt. What is piped in runs as a program, like what `-c` gives.
    """
    core = make_core()
    configure_logging(core.settings.effective_log_level, core.settings.log_format)
    with anyio.from_thread.start_blocking_portal() as portal:

        def run(call: Callable[[], Any]) -> Any:
            future = portal.start_task_soon(call)
            try:
                return future.result()
            except KeyboardInterrupt:
                future.cancel()
                raise

        with database_errors(core.settings.database):
            require_usable(run(lambda: state_before(core)))
        with portal.wrap_async_context_manager(core.running()):
            services = services_by_domain(core)
            names = _names(core) | {name: each for found in services.values() for name, each in found.items()}
            if program is None and not sys.stdin.isatty():
                program = sys.stdin.read()
            if program is not None:
                _run_program(program, names, run)
            elif find_spec("IPython"):
                _open_ipython(names, _banner(core, services), run)
            else:
                _open_console(names, _banner(core, services), run, core.settings.database.directory)


def _names(core: Core) -> dict[str, Any]:
    reading = {"reader": core.database.reader, "select": select, "prepare": prepare, "tables": metadata.tables}
    return {"core": core, "settings": core.settings, "unit": core.database.independent, **reading, "page": PageRequest}


def services_by_domain(core: Core) -> dict[str, dict[str, Any]]:
    """Objects that only read, such as ``post_queries``, and functions such as ``post_service(unit)``."""
    found: dict[str, dict[str, Any]] = {domain.name: {} for domain in core.domains}
    per_call = frozenset({UnitOfWork, Origin})
    for name, services in found.items():
        package = import_module(f"app.domain.{name}")
        modules = [
            each.name for each in walk_packages(package.__path__, f"{package.__name__}.") if ".services" in each.name
        ]
        for kind in (each for module in modules for each in vars(import_module(module)).values()):
            if inspect.isclass(kind) and kind.__module__ in modules and _SERVICE.fullmatch(kind.__name__):
                with suppress(LookupError):  # it needs a request
                    needs, build = core.services.builder(kind, per_call)
                    services[_snake(kind.__name__)] = _maker(build) if needs else build({})
    return found


def _maker(build: Callable[[dict[type[Any], Any]], Any]) -> Callable[[UnitOfWork], Any]:
    def make(unit: UnitOfWork) -> Any:
        """The service in this unit of work, on behalf of the system."""
        return build({UnitOfWork: unit, Origin: SYSTEM})

    return make


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def _banner(core: Core, services: dict[str, dict[str, Any]]) -> str:
    settings = core.settings
    lines = [
        f"{settings.product_name}, {settings.environment}, {settings.database.masked}",
        "settings, core; await reader.all(prepare(select(tables['users'].c.email), str))",
        "async with unit() as u: is a transaction, for services such as user_service(u); lists take page()",
    ]
    width = max(map(len, services)) + 4
    for name, each in ((name, each) for name, each in services.items() if each):
        names = ", ".join(key if not inspect.isfunction(value) else f"{key}(u)" for key, value in sorted(each.items()))
        lines.append(
            textwrap.fill(names, _WIDTH, initial_indent=f"  {name}".ljust(width), subsequent_indent=" " * width)
        )
    return "\n".join(lines)


def _run_program(text: str, names: dict[str, Any], run: Run) -> None:
    try:
        _execute(compile(text, "<shell>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), names, run)
    except Exception as exc:  # noqa: BLE001 - any that the program does not catch
        click.echo(_traceback_of(exc), err=True, nl=False)
        sys.exit(1)


def _execute(program: CodeType, names: dict[str, Any], run: Run) -> None:
    """What waits runs on the core's loop, the rest here, where Ctrl-C reaches it."""
    call = FunctionType(program, names)
    if program.co_flags & inspect.CO_COROUTINE:
        run(call)
    else:
        call()


def _traceback_of(exc: BaseException) -> str:
    """Without the frames between the prompt and what was typed."""
    trace = exc.__traceback__
    while trace is not None and not trace.tb_frame.f_code.co_filename.startswith("<"):
        trace = trace.tb_next
    return "".join(traceback.format_exception(exc.with_traceback(trace)))


def _open_ipython(names: dict[str, Any], banner: str, run: Run) -> None:
    sys.modules.pop("pygments", None)  # the command keeps it out of its processes
    config = load("traitlets.config:Config")()
    config.TerminalInteractiveShell.banner1 = f"{banner}\n"
    config.TerminalInteractiveShell.loop_runner = lambda coroutine: run(lambda: coroutine)
    load("IPython:start_ipython")(argv=[], user_ns=names, config=config)


def _open_console(names: dict[str, Any], banner: str, run: Run, folder: Path) -> None:
    """Python's own prompt. Its history is kept next to the database."""
    history = folder / "shell_history"
    readline.set_completer(rlcompleter.Completer(names).complete)
    readline.parse_and_bind("tab: complete")
    with suppress(OSError):
        history.touch(mode=0o600)
        readline.read_history_file(history)
    try:
        _Console(names, run).interact(banner, exitmsg="")
    finally:
        with suppress(OSError):
            readline.write_history_file(history)


class _Console(code.InteractiveConsole):
    def __init__(self, names: dict[str, Any], run: Run) -> None:
        super().__init__(names)
        self._names, self._run = names, run
        self.compile.compiler.flags |= ast.PyCF_ALLOW_TOP_LEVEL_AWAIT

    def runcode(self, code: CodeType) -> None:
        try:
            _execute(code, self._names, self._run)
        except SystemExit:
            raise
        except BaseException as exc:  # noqa: BLE001 - a prompt shows them all, Ctrl-C included
            self.write(_traceback_of(exc))
