"""Runs the toy: ``python launch.py PORT WORKERS DRAIN_SECONDS [RELOAD_DIRECTORY]``."""

import os
import sys
from functools import partial
from pathlib import Path

from app.lib.observability.logging import configure_logging
from app.lib.serving.addresses import claim
from app.lib.serving.server import ServerOptions, run_server
from app.lib.serving.supervised import Post, is_supervised, supervise

if __name__ == "__main__":
    if "TOY_SUPERVISED" in os.environ and not is_supervised():
        supervise()
    post = Post.take()
    port, workers, drain, *watched = sys.argv[1:]
    configure_logging("info", "json")
    listeners = (post and post.inherited) or claim("127.0.0.1", int(port), int(workers))
    run_server(
        "toy_app:create_app",
        ServerOptions(
            listeners=listeners,
            workers=int(workers),
            drain_seconds=float(drain),
            header_seconds=float(os.environ.get("TOY_HEADER_SECONDS", "75")),
            max_connections_per_address=int(os.environ.get("TOY_CONNECTIONS", "10000")),
            unread_seconds=float(os.environ.get("TOY_UNREAD_SECONDS", "60")),
            reload_directory=Path(watched[0]) if watched else None,
            on_ready=partial(post.report, listeners) if post else None,
        ),
    )
