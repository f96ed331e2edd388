"""A collector of OpenTelemetry: takes spans over HTTP and decodes them, as Jaeger, Tempo and others do."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tests.support.receivers import Receiver, receiver


@dataclass
class Seen:
    """A span as it arrived."""

    name: str
    kind: str
    trace_id: str
    span_id: str
    parent_id: str
    is_failed: bool
    attributes: dict[str, Any]
    text: str
    """All of it, to look for what must not be there."""


class Collector:
    """What arrived so far."""

    def __init__(self, server: Receiver) -> None:
        self._server = server
        self.url = f"http://127.0.0.1:{server.port}"

    @property
    def bodies(self) -> list[ExportTraceServiceRequest]:
        assert {each.target for each in self._server.received} <= {"/v1/traces"}
        return [ExportTraceServiceRequest.FromString(each.body) for each in self._server.received]

    def resource(self) -> dict[str, Any]:
        """What the service says of itself."""
        return _plain(self.bodies[0].resource_spans[0].resource.attributes)

    def spans(self, trace_id: str | None = None) -> list[Seen]:
        """Of one trace, or all."""
        found = [
            _seen(span)
            for body in self.bodies
            for resource in body.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]
        return [each for each in found if trace_id in {None, each.trace_id}]

    def named(self, name: str, trace_id: str | None = None) -> list[Seen]:
        return [each for each in self.spans(trace_id) if each.name == name]


def _seen(span: Span) -> Seen:
    return Seen(
        name=span.name,
        kind=Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_").lower(),
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        is_failed=span.status.code == Status.STATUS_CODE_ERROR,
        attributes=_plain(span.attributes),
        text=str(span),
    )


def _plain(attributes: Any) -> dict[str, Any]:
    pairs: list[KeyValue] = list(attributes)
    return {each.key: getattr(each.value, each.value.WhichOneof("value") or "") for each in pairs}


@asynccontextmanager
async def collector() -> AsyncIterator[Collector]:
    """One that is there until the end of the block."""
    async with receiver(tls=False) as server:
        yield Collector(server)
