"""Runs the toy: ``python launch.py PORT WORKERS DRAIN_SECONDS [RELOAD_DIRECTORY]``."""

import os
import sys
from pathlib import Path

from app.lib.observability.logging import configure_logging
from app.lib.serving.server import ServerOptions, run_server

if __name__ == "__main__":
    port, workers, drain, *watched = sys.argv[1:]
    configure_logging("info", "json")
    run_server(
        "toy_app:create_app",
        ServerOptions(
            address="127.0.0.1",
            port=int(port),
            workers=int(workers),
            drain_seconds=float(drain),
            header_seconds=float(os.environ.get("TOY_HEADER_SECONDS", "75")),
            max_connections_per_address=int(os.environ.get("TOY_CONNECTIONS", "10000")),
            unread_seconds=float(os.environ.get("TOY_UNREAD_SECONDS", "60")),
            reload_directory=Path(watched[0]) if watched else None,
        ),
    )
