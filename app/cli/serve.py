"""``app serve``: checks what can be checked without loading the app, then starts it."""

import os
import signal
import socket
from contextlib import ExitStack, suppress
from functools import partial
from tempfile import TemporaryDirectory
from types import FrameType

import click

from app.config import Settings
from app.environment import read_settings
from app.lib.addresses import parse_address
from app.lib.cli.errors import AddressUnusable, CommandFailed
from app.lib.cli.groups import load
from app.lib.serving.addresses import AddressUnavailable, claim
from app.lib.serving.supervised import Post
from app.lib.settings import ConfigurationError

_PROMETHEUS = "PROMETHEUS_MULTIPROC_DIR"
_PLACES = (None, "/dev/shm")  # noqa: S108 - the folder that is made there is ours alone


@click.command()
@click.option("--workers", type=click.IntRange(1, 256), help="Worker processes; default WORKERS.")
@click.option("--host", help="Address to listen on; default HOST.")
@click.option("--port", type=click.IntRange(1, 65535), help="Port to listen on; default PORT.")
@click.option("--reload", is_flag=True, help="Restart the workers when code changes.")
@click.option("--debug", is_flag=True, help="Serve in one process, in which breakpoint() opens the debugger.")
def serve(workers: int | None, host: str | None, port: int | None, *, reload: bool, debug: bool) -> None:
    """Run the service: migrate the database where AUTO_MIGRATE says so, then serve until Ctrl-C or SIGTERM.

    Without a terminal, SIGHUP starts the code and the settings of now, and ends the former server when they serve.
    """
    if debug and (reload or workers):
        raise click.UsageError("--debug goes with neither --workers nor --reload.")
    with ExitStack() as cleanup:
        _end_at_once_on_signals(cleanup)
        post = Post.take()
        workers = 1 if debug else workers
        flags = {"WORKERS": workers, "HOST": host, "PORT": port}
        # The workers read the settings for themselves, so a flag has to be where they look.
        os.environ.update({name: str(value) for name, value in flags.items() if value is not None})
        try:
            settings, _ = read_settings(())
        except ConfigurationError:
            load("app.asgi:load_settings")()  # it knows the domains' settings, too
            raise
        if debug and settings.is_production:
            raise CommandFailed("A debugger stops the service for all.", "--debug is refused in production.")
        listeners = [cleanup.enter_context(each) for each in _listeners(settings, post)]
        folder = os.environ.get(_PROMETHEUS)
        if folder is not None and not os.access(folder, os.W_OK):
            raise ConfigurationError(f"{_PROMETHEUS}: expected a folder that can be written")
        if folder is None and settings.workers > 1:
            # A private folder in which all workers count, so that a scrape of one of them covers all.
            os.environ[_PROMETHEUS] = cleanup.enter_context(_private_folder())
        # Loaded by name, and only now: the metrics library looks at its variable when it is imported.
        on_ready = partial(post.report, listeners) if post else None
        load("app.cli.startup:start")(listeners, on_ready, reload=reload, debug=debug)


def _listeners(settings: Settings, post: Post | None) -> list[socket.socket]:
    """Of the server that this one replaces, or new ones."""
    if post is None or not post.inherited:
        try:
            return claim(settings.host, settings.port, settings.workers)
        except AddressUnavailable as exc:
            raise AddressUnusable(f"{exc}.", "Choose another with --port or --host.") from exc
    host, port = post.inherited[0].getsockname()[:2]
    address = parse_address(settings.host)  # a name may stand for several
    if (len(post.inherited), port) != (settings.workers, settings.port) or address not in {None, parse_address(host)}:
        raise ConfigurationError("HOST, PORT, WORKERS: changes need a restart of the service")
    return post.inherited


def _private_folder() -> TemporaryDirectory[str]:
    """Where the file system is read-only, in shared memory. Raises ``CommandFailed``."""
    for place in _PLACES:
        with suppress(OSError):
            return TemporaryDirectory(prefix="lodestar-metrics-", dir=place)
    raise CommandFailed("Several workers need a folder for temporary files.", "Name one in TMPDIR, or set WORKERS=1.")


def _end_at_once_on_signals(cleanup: ExitStack) -> None:
    """Until granian takes SIGTERM and SIGINT: an import or a migration may be cut.

    A handler that raises would not do, because an exception in a garbage collector's callback is lost.
    """

    def end(_number: int, _frame: FrameType | None) -> None:
        cleanup.close()
        os._exit(0)

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
