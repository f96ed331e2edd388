"""Structured logs: one JSON line an event, with the request id; coloured lines in a terminal.

No password, token, hash or body is ever handed to a logger. Text that users chose is escaped: by JSON itself,
and in the terminal by the processor below, so that nobody can forge a line or colour one.
"""

import logging
import sys
from typing import Any, Literal

import msgspec
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

LogFormat = Literal["auto", "json", "console"]

_CONTROL = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))}


def configure_logging(level: str, log_format: LogFormat) -> None:
    """Sets up structlog and the standard library's loggers to write the same lines to standard output."""
    pretty = log_format == "console" or (log_format == "auto" and sys.stdout.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    final: list[Processor] = (
        [escape_text, structlog.dev.ConsoleRenderer()]
        if pretty
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(serializer=_serialize)]
    )
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    remove_meta = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    formatter = structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=[remove_meta, *final])
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for noisy in ("httpx", "httpcore", "aiosqlite", "asyncio"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))


def escape_text(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """A processor that makes control characters visible in every text value but a traceback."""
    for key, value in event.items():
        if isinstance(value, str) and key != "exception":
            event[key] = value.translate(_CONTROL)
    return event


def _serialize(event: Any, **_options: Any) -> str:
    return msgspec.json.encode(event, enc_hook=str).decode()
