"""Spans of OpenTelemetry where it is configured; else nothing, and none of its packages is loaded.

``docs/observability.md`` says what is traced, and what is never in a span: values of statements, headers, queries.
"""

import os
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, ClassVar, Literal, Protocol, TypeVar

T = TypeVar("T")

Kind = Literal["server", "client", "consumer"]
Attributes = dict[str, str | int]
RunStatement = Callable[[str, Any], Awaitable[T]]

NAME = "name"
"""In a span's attributes at its end: what it is called then, because a route is known late."""
FAILURE = "error.type"
"""Among them it makes the span a failed one."""
MAX_CONTEXT_LENGTH = 568
"""``traceparent``, a space and ``tracestate``."""


class Tracer(Protocol):
    """What :mod:`app.lib.observability.opentelemetry` does."""

    def span(
        self, kind: Kind, name: str, attributes: Attributes, parent: str | None
    ) -> AbstractContextManager[Attributes]: ...
    def statement(self, sql: str, system: str) -> AbstractContextManager[None]: ...
    def context(self) -> str: ...


class Tracing:
    """The tracer of the process, while it runs."""

    active: ClassVar[Tracer | None] = None


def endpoint() -> str | None:
    """The address to send traces to, where there is one and no other of the SDK's variables is against it."""
    address = os.environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") or os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT")
    is_off = os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    return address if not is_off and "otlp" in os.environ.get("OTEL_TRACES_EXPORTER", "otlp") else None


def span(
    kind: Kind, name: str, attributes: Attributes, parent: str | None = None
) -> AbstractContextManager[Attributes]:
    """A span around a block, which gets a dict to put further attributes into. An exception makes it a failed one; its
    text, which may hold anything, is left out. ``parent`` is a :func:`trace_context`: without it, a span that is not
    "client" begins a trace.
    """
    tracer = Tracing.active
    return nullcontext({}) if tracer is None else tracer.span(kind, name, attributes, parent)


def trace_context() -> str | None:
    """What a span in another process needs to go on with this trace; None where there is none."""
    return None if Tracing.active is None else Tracing.active.context() or None


def trace_headers() -> dict[str, str]:
    """The same as headers of a request (W3C Trace Context)."""
    parent, _, state = (trace_context() or "").partition(" ")
    return {name: value for name, value in (("traceparent", parent), ("tracestate", state)) if value}


def traced(run: RunStatement[T], system: str) -> RunStatement[T]:
    """The same with a span around each statement that belongs to a request or a job; ``system`` is the database's."""

    async def run_traced(sql: str, arguments: Any) -> T:
        if Tracing.active is None:
            return await run(sql, arguments)
        with Tracing.active.statement(sql, system):
            return await run(sql, arguments)

    return run_traced
