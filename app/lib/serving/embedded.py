"""An application in the event loop of a process that does something else: its probes."""

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.embed import Server
from litestar.types import ASGIApp

_HEADER_SECONDS = 75.0
_LAST_ANSWERS_SECONDS = 2.0


@asynccontextmanager
async def listening(app: ASGIApp, place: socket.socket) -> AsyncGenerator[None]:
    """Serves the application, without its lifespan, where ``place`` is bound to, which is closed."""
    address, port = place.getsockname()[:2]
    place.close()
    server = Server(
        app,
        address=address,
        port=port,
        interface=Interfaces.ASGINL,
        http=HTTPModes.http1,
        websockets=False,
        http1_settings=HTTP1Settings(header_read_timeout=round(_HEADER_SECONDS * 1000)),
        log_level=LogLevels.error,
        log_dictconfig={"version": 1, "loggers": {"_granian": {"handlers": [], "propagate": True}}},
    )
    task = asyncio.create_task(server.serve())
    try:
        yield
    finally:
        server.stop()  # type: ignore[no-untyped-call]  # granian has no types here
        with suppress(TimeoutError):  # of one that has begun a request and says no more
            await asyncio.wait_for(task, _LAST_ANSWERS_SECONDS)
