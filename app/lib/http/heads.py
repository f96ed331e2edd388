"""The head of a request or handshake: its header fields, its size, its id, its line in the access log."""

import logging
import re
import time
from typing import Any

import structlog
from litestar.types import Scope

from app.lib.db.base import new_id
from app.lib.errors import HeadersTooLarge
from app.lib.observability.logging import write_event

Headers = list[tuple[bytes, bytes]]

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{8,64}")

_access = logging.getLogger("app.access")
log = structlog.get_logger(_access.name)


class Conversation:
    """What a request and a handshake have in common. ``request_id`` is the client's own where it may be logged."""

    def __init__(self, scope: Scope) -> None:
        self.started_at = time.perf_counter()
        self.headers = headers_by_name(scope["headers"])
        given = self.headers.get(b"x-request-id", b"")
        self.request_id = given.decode() if _REQUEST_ID.fullmatch(given) else str(new_id())
        self.status = 0
        scope["state"]["request_id"] = self.request_id
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=self.request_id)

    def write_access_line(self, event: str, scope: Scope, **members: object) -> None:
        """Writes who asked for what and got which status."""
        if not _access.isEnabledFor(logging.INFO):
            return
        client = scope.get("client")
        line = {
            "event": event,
            "path": scope["path"],
            "route": route_of(scope),
            "status": self.status,
            "client": client[0] if client else None,
            **members,
        }
        write_event(_access.name, "info", line)


def route_of(scope: Scope) -> str:
    """The template of the path, once it is routed."""
    return str(scope.get("path_template") or "unmatched")


def check_header_bytes(scope: Scope, most: int) -> None:
    """Raises ``HeadersTooLarge``."""
    target = len(scope["path"]) + len(scope["query_string"])
    if target + sum(len(name) + len(value) for name, value in scope["headers"]) > most:
        raise HeadersTooLarge


def headers_by_name(headers: Any) -> dict[bytes, bytes]:
    """The first of each header, and of ``If-None-Match``, which is a list, all."""
    found: dict[bytes, bytes] = {}
    for name, value in headers:
        if name == b"if-none-match" and name in found:
            found[name] += b", " + value
        else:
            found.setdefault(name, value)
    return found
