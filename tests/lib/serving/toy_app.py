"""A small ASGI app for the server under test: it says who it is, whether it drains, and can be slow."""

import asyncio
import os
import time
from typing import Any
from urllib.parse import parse_qs

from app.lib.serving.draining import Draining

draining = Draining()


def create_app() -> Any:
    print(f"loading {os.getpid()}", flush=True)
    time.sleep(float(os.environ.get("TOY_LOAD_SECONDS", "0")))
    if os.environ.get("TOY_BROKEN"):
        raise RuntimeError("the toy is broken")
    return serve


async def serve(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        await live(receive, send)
        return
    query = parse_qs(scope["query_string"].decode())
    await asyncio.sleep(float(query.get("seconds", ["0"])[0]))
    if scope["path"] == "/stream":
        await draining.wait()
    body = f"{os.getpid()} {'draining' if draining.is_set() else 'open'}".encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


async def live(receive: Any, send: Any) -> None:
    await receive()
    async with draining.lifespan(None):
        await send({"type": "lifespan.startup.complete"})
        await receive()
    print(f"ended {os.getpid()}", flush=True)
    await send({"type": "lifespan.shutdown.complete"})
