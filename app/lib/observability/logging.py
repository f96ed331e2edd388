"""Structured logs: one JSON line an event, with the request id; coloured lines in a terminal.

No password, token, hash or body is ever handed to a logger, and what an exception's text may hold of them is masked.
Text that users chose is escaped, so that it can neither forge a line nor colour one.

structlog's events go straight to standard output, because the access log writes one for each request; the standard
library's records take the same way through a handler.
"""

import json
import logging
import re
import sys
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Literal

import msgspec
import structlog
from structlog.contextvars import merge_contextvars
from structlog.processors import format_exc_info
from structlog.typing import EventDict, Processor

from app.lib.observability.console import ConsoleLine, visible_lines
from app.lib.observability.masking import mask

LogFormat = Literal["auto", "json", "console"]

_UNSAFE_JSON = re.compile(rb"\x7f|\xc2[\x80-\x9f]|\xe2\x80[\x8e\x8f\xa8-\xae]|\xe2\x81[\xa6-\xa9]")
_NAMES = {"exception": "error", "warn": "warning", "fatal": "critical"}  # of methods that are no level
_LEVELS = {name.lower(): number for name, number in logging.getLevelNamesMapping().items()} | {
    "exception": logging.ERROR
}
_NOISY = ("httpx", "httpcore", "aiosqlite", "asyncio")

Renderer = Callable[[EventDict], bytes]

ADDITIONS: list[Callable[[str, EventDict], None]] = []
"""Called with the level and the members of each event before it is written, and may add to them: the ids of traces, and
reports of errors. Its exception has not become text yet. They must not fail.
"""


def configure_logging(level: str, log_format: LogFormat) -> None:
    """Makes structlog and the standard library's loggers write the same lines to standard output."""
    terminal = sys.stdout.isatty()
    pretty = log_format == "console" or (log_format == "auto" and terminal)
    _Line.render = ConsoleLine(colors=terminal) if pretty else json_line
    structlog.configure(
        processors=_PROCESSORS,
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=_Line,
        cache_logger_on_first_use=True,
    )
    root = logging.getLogger()
    root.handlers[:] = [_StandardHandler()]
    root.setLevel(level.upper())
    for noisy in _NOISY:
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))


def json_line(event: EventDict) -> bytes:
    """One line of JSON in UTF-8, with anything in the event."""
    try:
        line = msgspec.json.encode(event, enc_hook=lambda value: mask(str(value)))
    except Exception:  # noqa: BLE001 - lone surrogates, large integers, keys of any type, objects that fail in str()
        line = json.dumps({key: _shown(value) for key, value in event.items()}).encode()
    if not line.isascii() or b"\x7f" in line:
        line = _UNSAFE_JSON.sub(_json_escape, line)
    return line + b"\n"


def traceback_of(exc: BaseException) -> str:
    """As it is logged: without what an exception's text may quote of secrets and rows, or control characters."""
    text = "".join(traceback.format_exception(exc))
    return visible_lines(mask(text))


def write_event(name: str, level: str, event: EventDict) -> None:
    """Writes an event with the context of the task, at any level: what structlog's loggers do in the end, without
    what they do before. For the access log, which has one line for each request.
    """
    logger = _line(name)
    logger.debug(_finish(logger, level, merge_contextvars(logger, level, event)))


class _Line:
    """The logger below structlog's: takes a finished line and writes it."""

    render: Renderer = staticmethod(json_line)

    def __init__(self, name: str = "app", *_rest: object) -> None:
        self.name = name
        self.wants = logging.getLogger(name).isEnabledFor

    def debug(self, line: bytes) -> None:
        """Writes. A log that cannot be written (a full disk, a closed pipe) must not fail a request."""
        try:
            stream = sys.stdout.buffer
            stream.write(line)
            stream.flush()
        except (OSError, ValueError, RuntimeError, AttributeError):
            return

    info = warning = warn = error = exception = critical = fatal = debug


_line = lru_cache(maxsize=256)(_Line)


class _StandardHandler(logging.Handler):
    """Brings the records of other libraries into the same form."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            event: EventDict = {"event": mask(record.getMessage())}
            if record.exc_info:
                event["exc_info"] = record.exc_info
            write_event(record.name, record.levelname.lower(), event)
        except Exception:  # noqa: BLE001 - a record whose arguments do not fit is the caller's mistake
            self.handleError(record)


def _filter(logger: Any, method: str, event: EventDict) -> EventDict:
    if logger.wants(_LEVELS[method]):
        return event
    raise structlog.DropEvent


def _mask_members(_logger: Any, _method: str, event: EventDict) -> EventDict:
    return {name: mask(value) if isinstance(value, str) else value for name, value in event.items()}


def _finish(logger: Any, method: str, event: EventDict) -> bytes:
    """The last processor: puts the members in order and renders them."""
    level = _NAMES.get(method, method)
    for add in ADDITIONS:
        add(level, event)
    if "exc_info" in event:
        event = format_exc_info(logger, method, event)
        if "exception" in event:
            event["exception"] = mask(event["exception"])
    line = {
        "timestamp": msgspec.to_builtins(datetime.now(UTC)),  # isoformat takes ten times as long
        "level": level,
        "logger": logger.name,
        "event": event.pop("event", ""),
    }
    line.update(event)
    return _Line.render(line)


# One list for the life of the process: structlog's loggers keep it, and its test tools change it in place.
_PROCESSORS: list[Processor] = [_filter, merge_contextvars, _mask_members, _finish]


def _shown(value: object) -> object:
    if value is None or isinstance(value, (bool, str)):
        return value
    try:
        return repr(value)
    except Exception:  # noqa: BLE001 - an object that cannot even say what it is
        return f"<{type(value).__name__}>"


def _json_escape(match: re.Match[bytes]) -> bytes:
    return b"\\u%04x" % ord(match[0].decode())
