"""Reports of unexpected errors to Sentry. Loaded only with ``SENTRY_DSN``.

What the log shows as an error with an exception is reported: requests that end with 500, jobs that failed for good, and
bugs of background tasks. A report has the type of each exception and where it was raised, but neither its text nor the
value of a variable, because these may quote what a person sent; the log has the text, by the request id.
"""

import asyncio
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from sentry_sdk import Client
from sentry_sdk.utils import capture_internal_exceptions, event_from_exception
from structlog.typing import EventDict

from app.lib.observability.logging import ADDITIONS

FLUSH_SECONDS = 2.0
"""For which the end of a process waits."""

_LEVELS = {"error": "error", "critical": "fatal"}
_TAGS = ("event", "request_id", "method", "route", "job", "job_id", "trace_id")


class Reporter:
    """A client of its own, so that nothing that a scope of Sentry's may hold goes with a report."""

    def __init__(self, dsn: str, release: str, environment: str) -> None:
        self._client: Any = Client(
            dsn=dsn,
            release=release,
            environment=environment,
            default_integrations=False,
            auto_enabling_integrations=False,
            auto_session_tracking=False,
            include_local_variables=False,
            max_breadcrumbs=0,
            max_request_body_size="never",
            send_client_reports=False,
        )

    def report(self, level: str, event: EventDict) -> None:
        """For :data:`app.lib.observability.logging.ADDITIONS`."""
        exc = event.get("exc_info")
        if level not in _LEVELS or not exc:
            return
        with capture_internal_exceptions():
            report: Any
            report, hint = event_from_exception(sys.exc_info() if exc is True else exc, self._client.options)
            for each in report["exception"]["values"]:
                each["value"] = ""
            tags = {name: str(event[name]) for name in _TAGS if event.get(name) is not None}
            report |= {"level": _LEVELS[level], "tags": tags, "transaction": tags.get("route") or tags.get("job")}
            self._client.capture_event(report, hint)

    async def close(self) -> None:
        """Sends what is left, unless that takes too long."""
        await asyncio.to_thread(self._client.close, FLUSH_SECONDS)


@asynccontextmanager
async def reporting(dsn: str, release: str, environment: str) -> AsyncGenerator[None]:
    """Reports errors during the block."""
    reporter = Reporter(dsn, release, environment)
    ADDITIONS.append(reporter.report)
    try:
        yield
    finally:
        ADDITIONS.remove(reporter.report)
        await reporter.close()
