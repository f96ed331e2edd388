"""OpenTelemetry's SDK for :mod:`app.lib.observability.tracing`. Loaded only where it is configured."""

import asyncio
import logging
import os
import re
import threading
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from functools import lru_cache

import structlog
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import (
    SpanKind,
    StatusCode,
    format_span_id,
    format_trace_id,
    get_current_span,
    use_span,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from structlog.typing import EventDict

from app.lib.observability.logging import ADDITIONS
from app.lib.observability.tracing import FAILURE, NAME, Attributes, Kind, Tracing

FLUSH_SECONDS = 3.0
"""For which the end of a process waits for a collector that is slow or gone."""

_PROTOCOL = "http/protobuf"
_KINDS = {"server": SpanKind.SERVER, "client": SpanKind.CLIENT, "consumer": SpanKind.CONSUMER}
_TABLE = re.compile(r'\b(?:FROM|INTO|UPDATE)\s+"?(\w+)')
_INNER = re.compile(r"\([^()]*\)")
_w3c = TraceContextTextMapPropagator()

log = structlog.stdlib.get_logger(__name__)


class OpenTelemetry:
    """Its exporter has a thread, so it is made in the process that uses it, not in one that is forked later."""

    def __init__(self, about: Mapping[str, str]) -> None:
        """``about`` describes the service, unless ``OTEL_SERVICE_NAME`` and ``OTEL_RESOURCE_ATTRIBUTES`` do."""
        given = OTELResourceDetector().detect().attributes
        self._provider = TracerProvider(resource=Resource.create({**about, **given}), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("app", about.get("service.version"))

    @contextmanager
    def span(self, kind: Kind, name: str, attributes: Attributes, parent: str | None = None) -> Generator[Attributes]:
        """See :func:`app.lib.observability.tracing.span`."""
        context = None if kind == "client" else _context_of(parent or "")
        span = self._tracer.start_span(name, context, _KINDS[kind], attributes)
        found: Attributes = {}
        with use_span(span, end_on_exit=True, record_exception=False, set_status_on_exception=False):
            try:
                yield found
            except Exception as exc:
                found.setdefault(FAILURE, type(exc).__qualname__)
                raise
            finally:
                span.update_name(str(found.pop(NAME, name)))
                span.set_attributes(found)
                if FAILURE in found:
                    span.set_status(StatusCode.ERROR)

    @contextmanager
    def statement(self, sql: str, system: str) -> Generator[None]:
        """A statement by its text, in which values are placeholders. Those outside of requests and jobs, such as the
        polling of a worker, have none.
        """
        if not get_current_span().is_recording():
            yield
            return
        name, verb = _names(sql)
        attributes = {"db.system.name": system, "db.operation.name": verb, "db.query.text": sql}
        span = self._tracer.start_span(name, kind=SpanKind.CLIENT, attributes=attributes)
        try:
            yield
        except Exception as exc:
            span.set_attribute(FAILURE, type(exc).__qualname__)
            span.set_status(StatusCode.ERROR)
            raise
        finally:
            span.end()

    def context(self) -> str:
        """``traceparent`` and, after a space, ``tracestate``; empty outside of a span."""
        carrier: dict[str, str] = {}
        _w3c.inject(carrier)
        return " ".join(carrier.values())

    def close(self) -> None:
        """Sends what is left."""
        self._provider.shutdown()


def _context_of(text: str) -> Context:
    """An empty one for what is not well formed."""
    parent, _, state = text.partition(" ")
    return _w3c.extract({"traceparent": parent, "tracestate": state}, Context())


@lru_cache(2048)
def _names(sql: str) -> tuple[str, str]:
    """Of a statement's span, such as "SELECT users", and of the operation."""
    verb = sql.partition(" ")[0].strip().upper()
    while _INNER.search(sql):
        sql = _INNER.sub("", sql)
    table = _TABLE.search(sql)
    return (f"{verb} {table[1]}" if table else verb), verb


def add_ids(_level: str, event: EventDict) -> None:
    """The ids of the current span in a line of the log."""
    context = get_current_span().get_span_context()
    if context.is_valid:
        event["trace_id"], event["span_id"] = format_trace_id(context.trace_id), format_span_id(context.span_id)


@asynccontextmanager
async def tracing(about: Mapping[str, str]) -> AsyncGenerator[None]:
    """Traces during the block, and sends what is left at its end, unless that takes too long."""
    for variable in ("OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"):
        if os.environ.get(variable, _PROTOCOL) != _PROTOCOL:
            log.warning("tracing.protocol_not_supported", variable=variable, used=_PROTOCOL)
    # It would repeat what clients send as the headers of a trace.
    logging.getLogger("opentelemetry.trace").setLevel(logging.CRITICAL)
    # A line for what is lost, none for each attempt.
    logging.getLogger("opentelemetry.exporter").setLevel(logging.ERROR)
    tracer = Tracing.active = OpenTelemetry(about)
    ADDITIONS.append(add_ids)
    try:
        yield
    finally:
        ADDITIONS.remove(add_ids)
        Tracing.active = None
        # Not a thread of the loop's: the end of the process would wait for these.
        last = threading.Thread(target=tracer.close, name="OtelClose", daemon=True)
        last.start()
        await asyncio.to_thread(last.join, FLUSH_SECONDS)
