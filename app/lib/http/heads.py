"""The head of a request: its header fields, its size, its id."""

import re
from collections.abc import Mapping
from typing import Any

from litestar.types import Scope

from app.lib.db.base import new_id
from app.lib.errors import HeadersTooLarge

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{8,64}")


def request_id_of(headers: Mapping[bytes, bytes]) -> str:
    """The client's own where it is fit to be logged, else a new one."""
    given = headers.get(b"x-request-id", b"")
    return given.decode() if _REQUEST_ID.fullmatch(given) else str(new_id())


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
