"""Lines of the log for a person at a terminal: what happened first, in columns, with short ids, in 100 characters."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from structlog.typing import EventDict

# Control characters (C0, DEL and C1), line separators, and what changes the direction of text.
_UNSAFE = r"\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069"
_UNSAFE_TEXT = re.compile(f"[{_UNSAFE}]")
_UNSAFE_TRACEBACK = re.compile(f"(?!\n)[{_UNSAFE}]")
_ID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{4}([0-9a-f]{8})")
_PLAIN = re.compile(r"[^\s='\"]+")

_MARKS = {"debug": "-", "warning": "!", "error": "X", "critical": "X"}
_COLORS = {"-": "2", " ": "", "!": "33", "X": "1;31"}
_EXCHANGES = {"request", "socket"}
_LEFT_OUT = {"timestamp", "level", "event", "exception", "request_id", "own_request_id"}
_IN_COLUMNS = {"status", "method", "path", "route", "ms", "seconds"}
_FIRST = {"job", "kind", "error"}
_USUAL = {"client": ("127.0.0.1", "::1", None), "attempt": (1,)}
"""What is not worth a word."""
_SHORT = 8
"""Characters of an id: its last ones, because its first ones are the time."""
_FAILED, _BROKEN = 400, 500


class ConsoleLine:
    """Renders an event. Tracebacks are indented, so that no text in one can pass for a line of its own."""

    def __init__(self, *, colors: bool) -> None:
        self._colors = colors

    def __call__(self, event: EventDict) -> bytes:
        is_exchange = event["event"] in _EXCHANGES and "status" in event
        mark = _mark_of_exchange(event["status"]) if is_exchange else _MARKS.get(event["level"], " ")
        what = _exchange(event) if is_exchange else f"{visible(str(event['event'])):<20}"
        members = self._members(event, _LEFT_OUT | (_IN_COLUMNS if is_exchange else set()))
        short = visible(str(event.get("request_id", "")))[-_SHORT:]
        parts = [self._painted(_COLORS[mark], f"{mark} {what}"), members, self._painted("2", short)]
        line = f"{self._painted('2', _now())} {' '.join(filter(None, parts)).rstrip()}\n"
        if "exception" in event:
            line += "    " + visible_lines(event["exception"]).replace("\n", "\n    ") + "\n"
        return line.encode(errors="backslashreplace")

    def _members(self, event: Mapping[str, Any], left_out: set[str]) -> str:
        shown: list[str] = []
        for name, value in sorted(event.items(), key=lambda member: member[0] not in _FIRST):
            is_own = name == "logger" and str(value).startswith("app")
            is_same = name.endswith("_id") and value == event.get("request_id")
            if name not in left_out and value not in _USUAL.get(name, (None,)) and not is_same and not is_own:
                shown.append(self._painted("2", f"{visible(name)}=") + _value(value))
        return " ".join(shown)

    def _painted(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._colors and code and text else text


def visible(text: str) -> str:
    """With escapes in place of control characters."""
    return _UNSAFE_TEXT.sub(_escaped, text)


def visible_lines(text: str) -> str:
    """The same, line ends aside."""
    return _UNSAFE_TRACEBACK.sub(_escaped, text)


def _exchange(event: Mapping[str, Any]) -> str:
    """A request, or a socket at its end."""
    took = f"{event['ms']:>8.1f} ms" if "ms" in event else f"{event.get('seconds', 0):>8.1f} s "
    return f"{event['status']:<3} {event.get('method', 'SOCKET'):<8}{visible(str(event['path'])):<47}{took} "


def _mark_of_exchange(status: int) -> str:
    return " " if status < _FAILED else "!" if status < _BROKEN else "X"


def _value(value: object) -> str:
    value = round(value, 3) if isinstance(value, float) else value
    text = visible(value) if isinstance(value, str) else visible(repr(value))
    if (match := _ID.fullmatch(str(value))) is not None:
        return match[1]
    return text if not isinstance(value, str) or _PLAIN.fullmatch(text) else f"'{text}'"


def _now() -> str:
    return datetime.now(UTC).astimezone().strftime("%H:%M:%S.%f")[:-3]


def _escaped(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"  # noqa: PLR2004 - two digits are enough
