"""An application in the event loop of this process: the probes of one that does something else, or a debugged one."""

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Any

from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.embed import Server
from litestar.types import ASGIApp

from app.lib.serving.connections import ConnectionWatch

_PROBE_SECONDS = 5.0
"""For which a connection to probes may say nothing, or read nothing."""
_PROBES, _PROBES_PER_ADDRESS = 256, 32
"""Connections at a time. Those of an address beyond its share are closed within a second, further ones wait."""
_LAST_ANSWERS_SECONDS = 2.0


@asynccontextmanager
async def listening(app: ASGIApp, place: socket.socket) -> AsyncGenerator[None]:
    """Serves the application, without its lifespan, where ``place`` is bound to, which is closed."""
    log = {"version": 1, "loggers": {"_granian": {"handlers": [], "propagate": True}}}
    watch = asyncio.create_task(_watch_connections(place.getsockname()[1]))
    options = {"websockets": False, "log_dictconfig": log, "backpressure": _PROBES}
    server = embed(app, place, Interfaces.ASGINL, _PROBE_SECONDS, **options)
    task = asyncio.create_task(server.serve())
    try:
        yield
    finally:
        watch.cancel()
        server.stop()  # type: ignore[no-untyped-call]  # granian has no types here
        with suppress(TimeoutError):  # of one that has begun a request and says no more
            await asyncio.wait_for(task, _LAST_ANSWERS_SECONDS)


async def _watch_connections(port: int) -> None:
    watch = ConnectionWatch(port, _PROBES_PER_ADDRESS, _PROBE_SECONDS, str)
    while True:
        with suppress(OSError):  # not on this system
            watch.look()
        await asyncio.sleep(1)


def embed(app: Any, place: socket.socket, interface: Interfaces, header_seconds: float, **options: Any) -> Server:
    """Granian in this process, which listens where ``place`` is bound to and closes that: it opens its own."""
    address, port = place.getsockname()[:2]
    place.close()
    settings = HTTP1Settings(header_read_timeout=round(header_seconds * 1000))
    return Server(
        app,
        address=address,
        port=port,
        interface=interface,
        http=HTTPModes.http1,
        http1_settings=settings,
        log_level=LogLevels.error,
        **options,
    )
