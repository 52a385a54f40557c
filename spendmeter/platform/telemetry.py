"""Telemetry: one list of metric names, traces that cross Kafka, structured logs by allow-list.

Traces and metrics go to OTEL_EXPORTER_OTLP_ENDPOINT when it is set; metrics are at /metrics in any case.
"""

import logging
import os
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

import stamina
import structlog
from opentelemetry import metrics, trace
from opentelemetry.context import Context
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import Decision, ParentBased, SamplingResult, TraceIdRatioBased
from opentelemetry.trace import Link, Span, SpanContext, SpanKind, Status, StatusCode, TraceState
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import Attributes

from spendmeter.platform.lines import Lines
from spendmeter.platform.raised import kind_of, told
from spendmeter.platform.settings import Settings

TRACEPARENT = "traceparent"
LINKS_MAX = 64

METRICS: MappingProxyType[str, dict[str, str]] = MappingProxyType(
    tomllib.loads(Path(__file__).with_name("metrics.toml").read_text("utf-8"))
)

LOG_FIELDS = frozenset(
    """attempt begin channel count delivery duration_s end entries error event exception group host incident
    key_id level limit method next_origin offset partition path pid port position pull reason rule size
    service status tenant timestamp topic topic_id transition version""".split()
)
"""The fields that a log line may have: content, credentials and database details have no way in."""

_propagator = TraceContextTextMapPropagator()


def start_telemetry(service: str, settings: Settings) -> None:
    """Set the process's tracer, meter and logger up; once, at start."""
    resource = Resource.create(
        {"service.name": f"spendmeter-{service}", "service.instance.id": str(os.getpid())}
    )
    tracers = TracerProvider(resource=resource, sampler=ParentBased(_LinkedOrByRatio(settings.trace_ratio)))
    readers: list[MetricReader] = [PrometheusMetricReader()]
    if os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        tracers.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        readers.append(PeriodicExportingMetricReader(OTLPMetricExporter()))
    trace.set_tracer_provider(tracers)
    metrics.set_meter_provider(MeterProvider(resource=resource, metric_readers=readers))
    _start_logging(service, settings.log_level)
    sys.excepthook = lambda *exc_info: log().critical("ended by a bug", exc_info=exc_info)
    stamina.instrumentation.set_on_retry_hooks([])  # platform/retry.py says it in words of ours


class _LinkedOrByRatio(TraceIdRatioBased):
    """A batch that holds a sampled event is sampled itself: its links would lead nowhere otherwise."""

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        if any(link.context.trace_flags.sampled for link in links or ()):
            return SamplingResult(Decision.RECORD_AND_SAMPLE, attributes, trace_state)
        return super().should_sample(parent_context, trace_id, name, kind, attributes, links, trace_state)


def _start_logging(service: str, level: str) -> None:
    def only_allowed(_logger: Any, _name: str, line: Any) -> Any:
        return {"service": service} | {name: value for name, value in line.items() if name in LOG_FIELDS}

    def first_line(_logger: Any, _name: str, line: Any) -> Any:
        return line | {"event": str(line["event"]).partition("\n")[0]}  # asyncio writes values behind it

    shared: list[Any] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.ExceptionRenderer(told),
        only_allowed,
    ]
    lines = Lines(sys.stdout.fileno(), service)
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
        logger_factory=structlog.WriteLoggerFactory(lines),  # type: ignore[arg-type] # writes, and flushes
        cache_logger_on_first_use=True,
    )
    # Libraries log through the standard library: their warnings, in the same shape.
    handler = logging.StreamHandler(lines)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                first_line,
                *shared,
                structlog.processors.JSONRenderer(),
            ]
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)


def log() -> Any:
    """The process's logger: `log().info("what happened", partition=3)`; fields outside LOG_FIELDS vanish."""
    return structlog.get_logger()


class Meters:
    """The instruments of METRICS, made on first use: `add`, `record` and `set` by name."""

    def __init__(self) -> None:
        self._meter = metrics.get_meter("spendmeter")
        self._instruments: dict[str, Any] = {}

    def _instrument(self, name: str) -> Any:
        instrument = self._instruments.get(name)
        if instrument is None:
            metric = METRICS[name]
            create = getattr(self._meter, f"create_{metric['kind']}")
            instrument = create(name, unit=metric["unit"], description=metric["about"])
            self._instruments[name] = instrument
        return instrument

    def add(self, name: str, amount: int = 1, **attributes: str) -> None:
        """Count."""
        self._instrument(name).add(amount, attributes)

    def record(self, name: str, value: float, **attributes: str) -> None:
        """Put one value into a histogram."""
        self._instrument(name).record(value, attributes)

    def set(self, name: str, value: float, **attributes: str) -> None:
        """Say what a gauge shows now."""
        self._instrument(name).set(value, attributes)

    def observe(self, name: str, figure: Callable[[], float | None]) -> None:
        """Let a gauge show what `figure` says whenever it is read; None = nothing. Once for a name."""

        def observed(_: CallbackOptions) -> Iterator[Observation]:
            if (value := figure()) is not None:
                yield Observation(value)

        metric = METRICS[name]
        self._instruments[name] = self._meter.create_observable_gauge(
            name, [observed], unit=metric["unit"], description=metric["about"]
        )


def tracer() -> trace.Tracer:
    """The process's tracer."""
    return trace.get_tracer("spendmeter")


@contextmanager
def current_span(
    name: str,
    *,
    context: Context | None = None,
    kind: SpanKind = SpanKind.INTERNAL,
    links: Sequence[Link] = (),
) -> Iterator[Span]:
    """A span around what is inside; of what that raises it has the kind, never the words."""
    with tracer().start_as_current_span(
        name, context, kind, links=links, record_exception=False, set_status_on_exception=False
    ) as span:
        try:
            yield span
        except Exception as error:
            span.set_status(Status(StatusCode.ERROR, kind_of(error)))
            raise


def traceparent_headers() -> list[tuple[str, bytes]]:
    """Kafka headers for a record sent now: the current span's traceparent where it is sampled, else none.

    An unsampled trace has nothing to continue, and a header on every record costs bytes on every hop.
    """
    context = trace.get_current_span().get_span_context()
    if not (context.is_valid and context.trace_flags.sampled):
        return []
    carrier: dict[str, str] = {}
    _propagator.inject(carrier)
    return [(TRACEPARENT, carrier[TRACEPARENT].encode())]


def span_context(headers: Iterable[tuple[str, bytes]]) -> SpanContext | None:
    """The sampled span that a record's headers name; None when there is none."""
    for name, value in headers:
        if name == TRACEPARENT and value:  # a header's value may be null
            carrier = {TRACEPARENT: value.decode("ascii", "replace")}
            found = trace.get_current_span(_propagator.extract(carrier)).get_span_context()
            return found if found.is_valid and found.trace_flags.sampled else None
    return None


def sampled_spans(records: Iterable[Any]) -> list[SpanContext]:
    """The sampled spans that these Kafka records name."""
    return [found for record in records if record.headers and (found := span_context(record.headers))]


def links(contexts: Sequence[SpanContext]) -> list[Link]:
    """Links from a batch's span to the spans of its events, at most LINKS_MAX."""
    return [Link(context) for context in contexts[:LINKS_MAX]]


def under(context: SpanContext) -> Context:
    """For a span that continues this one."""
    return trace.set_span_in_context(trace.NonRecordingSpan(context))
