"""A receiver of OTLP over HTTP: what a collector would get from the services."""

from __future__ import annotations

import gzip
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span


class Otlp:
    """`spans` as (service, span), `metrics` as names, as they arrive; `url` is the exporters' endpoint.
    `seen`: by path, which of the watched texts were in anything that came."""

    def __init__(self) -> None:
        self.spans: list[tuple[str, Span]] = []
        self.metrics: set[str] = set()
        self.seen: dict[str, set[bytes]] = {}
        self._watched: set[bytes] = set()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                receiver._take(self.path, body)
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def watch(self, text: bytes) -> None:
        """Look for a text in all that comes from now on."""
        self._watched.add(text)

    def _take(self, path: str, body: bytes) -> None:
        if found := {text for text in self._watched if text in body}:
            self.seen.setdefault(path, set()).update(found)
        if path == "/v1/traces":
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                names = {a.key: a.value.string_value for a in resource.resource.attributes}
                for scope in resource.scope_spans:
                    self.spans += [(names["service.name"], span) for span in scope.spans]
        elif path == "/v1/metrics":
            for metrics in ExportMetricsServiceRequest.FromString(body).resource_metrics:
                self.metrics |= {m.name for scope in metrics.scope_metrics for m in scope.metrics}

    def services_of(self, trace_id: str) -> set[str]:
        """The services that have a span in the trace."""
        return {service for service, span in self.spans if span.trace_id.hex() == trace_id}

    def linked_from(self, trace_id: str) -> set[str]:
        """The services that have a batch span linked to the trace."""
        return {
            service
            for service, span in self.spans
            if any(link.trace_id.hex() == trace_id for link in span.links)
        }

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
