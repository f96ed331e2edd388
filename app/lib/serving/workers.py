"""What runs in a worker process: the app, on the worker's own listening socket."""

import gc
import os
import pkgutil
import socket
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, NamedTuple

from app.lib.serving.connections import ConnectionWatch
from app.lib.serving.draining import WorkerEnd
from app.lib.serving.processes import die_with_parent, enter_worker

BACKLOG = 1024

_Send = Callable[[Any], Coroutine[Any, Any, None]]
_App = Callable[[Any, Any, _Send], Coroutine[Any, Any, None]]


class Place(NamedTuple):
    """A worker's. ``others`` are listening sockets of other workers, ``ready`` takes a byte once this one serves."""

    app_factory: str
    slot: int
    listener: socket.socket
    others: Sequence[socket.socket]
    watch: ConnectionWatch
    ready: int | None


def load_app(place: Place) -> _App:
    """Runs first in a worker: makes it one that ends when it should, then makes the app."""
    enter_worker()
    die_with_parent()
    WorkerEnd.take(place.listener)
    for each in place.others:  # else they listen on when their own workers do not
        each.close()
    place.watch.start()
    gc.disable()
    app: _App = pkgutil.resolve_name(place.app_factory)()
    gc.freeze()  # an app stays for as long as its worker: no collection looks through it
    gc.set_threshold(10_000, 20, 20)  # requests leave few cycles
    gc.enable()

    def serve(scope: Any, receive: Any, send: _Send) -> Coroutine[Any, Any, None]:
        if scope["type"] == "lifespan":
            send = _listening(place, send)
        elif WorkerEnd.is_near and scope["type"] == "http" and scope["http_version"].startswith("1"):
            send = _closing(send)
        return app(scope, receive, send)

    return serve


def _listening(place: Place, send: _Send) -> _Send:
    """Clients are refused until the app is ready, rather than kept waiting."""

    async def send_and_listen(message: Any) -> None:
        if message["type"] == "lifespan.startup.complete":
            place.listener.listen(BACKLOG)
            if place.ready is not None:
                os.write(place.ready, bytes([place.slot]))
        await send(message)

    return send_and_listen


def _closing(send: _Send) -> _Send:
    """Asks the client to take another connection for its next request (RFC 9112 section 9.6)."""

    async def send_and_close(message: Any) -> None:
        if message["type"] == "http.response.start":
            headers = [each for each in message.get("headers", ()) if each[0].lower() != b"connection"]
            message = {**message, "headers": [*headers, (b"connection", b"close")]}
        await send(message)

    return send_and_close
