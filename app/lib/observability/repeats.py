"""One line for what happens a thousand times in a second, as in an outage: the first in full, then a count."""

import asyncio
import time
from collections.abc import Callable
from contextvars import Context
from dataclasses import dataclass
from typing import Any

WINDOW_SECONDS = 1.0


@dataclass
class _Window:
    ends_at: float
    left_out: int = 0


_windows: dict[tuple[str, str, str], _Window] = {}


def log_once(write: Callable[..., Any], event: str, *, error: str, of: str = "", **members: Any) -> None:
    """Logs an event, unless one with the same ``error`` of the same thing was logged within the last second.

    After that second one more line says how many were ``repeated`` and left out. For use in an event loop.
    """
    kind, now = (event, error, of), time.monotonic()
    window = _windows.get(kind)
    if window is not None and now < window.ends_at:
        window.left_out += 1
        return
    _windows[kind] = window = _Window(now + WINDOW_SECONDS)
    asyncio.get_running_loop().call_later(WINDOW_SECONDS, _close, write, kind, window, context=Context())
    write(event, error=error, **members)


def _close(write: Callable[..., Any], kind: tuple[str, str, str], window: _Window) -> None:
    if _windows.get(kind) is window:
        del _windows[kind]
    if window.left_out:
        event, error, of = kind
        write(event, error=error, of=of, repeated=window.left_out)
