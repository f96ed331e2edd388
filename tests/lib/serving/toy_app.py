"""A small ASGI app for the server under test: it says who it is, whether it drains, and can be slow."""

import asyncio
import os
import time
from typing import Any
from urllib.parse import parse_qs

from app.lib.serving.draining import Draining

draining, ended = Draining(), asyncio.Event()


async def say_goodbye() -> None:
    ended.set()


draining.on_end(say_goodbye)


def create_app() -> Any:
    say("loading")
    if os.environ.get("TOY_BROKEN"):
        raise RuntimeError("the toy is broken")
    time.sleep(float(os.environ.get("TOY_LOAD_SECONDS", "0")))
    return serve


async def serve(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        await live(receive, send)
        return
    if seconds := parse_qs(scope["query_string"].decode()).get("seconds"):
        say("waiting")
        await asyncio.sleep(float(seconds[0]))
    if scope["path"] == "/stream":
        say("streaming")
        await ended.wait()
    body = f"{os.getpid()} {'draining' if draining.is_set() else 'open'}".encode()
    if scope["path"] == "/large":
        body = bytes(20_000_000)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


async def live(receive: Any, send: Any) -> None:
    await receive()
    async with draining.lifespan(None):
        say("started")
        await send({"type": "lifespan.startup.complete"})
        await receive()
    say("ended")
    await send({"type": "lifespan.shutdown.complete"})


def say(word: str) -> None:
    os.write(1, f"{word} {os.getpid()}\n".encode())  # whole lines, although others write at the same time
