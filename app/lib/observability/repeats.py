"""One line for what happens a thousand times in a second, as in an outage: the first in full, then counts."""

import asyncio
import time
from collections.abc import Callable
from contextvars import Context
from dataclasses import dataclass
from typing import Any

WINDOW_SECONDS = 1.0
_LONGEST_SECONDS = 60.0
_GRACE_SECONDS = 5.0
"""A loop that is busy closes a window late; one that has ended never does."""


@dataclass
class _Window:
    seconds: float
    ends_at: float
    left_out: int = 0


_windows: dict[tuple[str, str, str], _Window] = {}


def log_once(write: Callable[..., Any], event: str, *, error: str, of: str = "", **members: Any) -> None:
    """Logs an event, unless one with the same ``error`` of the same thing was logged within the last second.

    After that second one more line says how many were ``repeated`` and left out, and so on after twice the time, up to
    a minute, until there are none. For use in an event loop.
    """
    kind = (event, error, of)
    window = _windows.get(kind)
    if window is not None and time.monotonic() < window.ends_at + _GRACE_SECONDS:
        window.left_out += 1
        return
    _open(write, kind, WINDOW_SECONDS)
    write(event, error=error, **members)


def _open(write: Callable[..., Any], kind: tuple[str, str, str], seconds: float) -> None:
    _windows[kind] = window = _Window(seconds, time.monotonic() + seconds)
    asyncio.get_running_loop().call_later(seconds, _close, write, kind, window, context=Context())


def _close(write: Callable[..., Any], kind: tuple[str, str, str], window: _Window) -> None:
    if _windows.get(kind) is not window:
        return
    del _windows[kind]
    if window.left_out:
        event, error, of = kind
        write(event, error=error, of=of, repeated=window.left_out)
        _open(write, kind, min(2 * window.seconds, _LONGEST_SECONDS))
