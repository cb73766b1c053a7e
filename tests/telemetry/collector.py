"""Stands in for a collector of OpenTelemetry: it takes spans by OTLP over HTTP, in protobuf, and keeps them."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, NamedTuple

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


class CollectedSpan(NamedTuple):
    """One span, with ids as hexadecimal digits, and the resource that made it."""

    resource: dict[str, str]
    name: str
    trace: str
    id: str
    parent: str
    links: list[str]


@contextmanager
def collecting() -> Iterator[tuple[str, list[CollectedSpan]]]:
    """Serve while the block runs. Yields the endpoint, and the spans that have come."""
    spans: list[CollectedSpan] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            spans.extend(_spans(ExportTraceServiceRequest.FromString(body)))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Collector) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", spans
        server.shutdown()


def _spans(request: ExportTraceServiceRequest) -> Iterator[CollectedSpan]:
    for group in request.resource_spans:
        resource = {one.key: one.value.string_value for one in group.resource.attributes}
        for one in (span for scope in group.scope_spans for span in scope.spans):
            links = [link.span_id.hex() for link in one.links]
            yield CollectedSpan(
                resource, one.name, one.trace_id.hex(), one.span_id.hex(), one.parent_span_id.hex(), links
            )
