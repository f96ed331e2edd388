"""The toy for granian: ``granian --interface asgi --factory tests.lib.http.served:create_app``."""

from litestar import Litestar

from app.lib.observability.logging import configure_logging
from tests.lib.http.toys import toy

IDLE, TOTAL = 0.6, 1.5


def create_app() -> Litestar:
    configure_logging("info", "json")
    return toy(body_idle_seconds=IDLE, body_total_seconds=TOTAL)
