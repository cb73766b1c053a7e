"""Spans for OpenTelemetry, if OMS_TRACING is on. Off, which is the default, nothing of it is even imported.

The conventions are those for messaging: the span of a publish is the parent of what follows from the message, and its
context travels in the headers. No attribute holds a value of a body, and no exception is recorded with its text.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import Thread
from typing import TYPE_CHECKING, Any, Literal

from db.errors import ConfigurationError
from messages.trace_context import TRACEPARENT, TRACESTATE
from outbox.outcome import Answer, PublishOutcome
from outbox.rendering import Rendered
from outbox.version import version

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.sampling import Sampler
    from opentelemetry.trace import Span, SpanContext, Tracer

TracingMode = Literal["off", "otlp"]
SpanKindName = Literal["CONSUMER", "PRODUCER", "CLIENT"]
MESSAGING = {"messaging.system": "rabbitmq"}
FLUSH_SECONDS = 2.0  # at the end of the process, which a collector that is away must not keep
LINKS_MAX = 1_000  # of a batch, one for each message; the SDK's default, 128, would drop those of the oldest
LINKS_VARIABLE = "OTEL_SPAN_LINK_COUNT_LIMIT"
EXTRA = "OMS_TRACING=otlp needs OpenTelemetry: install the extra `tracing` (pip install 'oms[tracing]')"


class _Process:
    provider: "TracerProvider | None" = None
    tracer: "Tracer | None" = None


def configure(mode: TracingMode, service: str) -> None:
    """Send spans by OTLP over HTTP, as the variables OTEL_* say; `service` is the name without OTEL_SERVICE_NAME.

    Raises ConfigurationError if OpenTelemetry is not installed.
    """
    if mode == "off":
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    except ImportError as error:
        raise ConfigurationError(EXTRA) from error
    use(BatchSpanProcessor(OTLPSpanExporter()), service)


def use(processor: Any, service: str) -> None:
    """Give every span of this process to a processor of OpenTelemetry's SDK."""
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import SpanLimits, TracerProvider  # noqa: PLC0415

    limits = SpanLimits(max_links=None if LINKS_VARIABLE in os.environ else LINKS_MAX)
    own = Resource.create({"service.name": service, "service.version": version()})
    resource = own.merge(OTELResourceDetector().detect())
    provider = TracerProvider(resource=resource, shutdown_on_exit=False, span_limits=limits)
    provider.sampler = _whoever_asks(provider.sampler)
    provider.add_span_processor(processor)
    _Process.provider, _Process.tracer = provider, provider.get_tracer("oms", version())


def _whoever_asks(given: "Sampler") -> "Sampler":
    """Return a sampler that decides about each trace as if it began here, by its id alone.

    A flag that comes with a message is nobody's decision for us: it may be a client's, which a process of ours that
    makes no spans has passed on as it came. All our processes decide alike, because they have the same sampler.
    """
    from opentelemetry.context import Context  # noqa: PLC0415
    from opentelemetry.sdk.trace.sampling import Sampler, SamplingResult  # noqa: PLC0415
    from opentelemetry.trace import get_current_span  # noqa: PLC0415

    class OwnSampler(Sampler):
        def should_sample(self, parent_context: "Context | None", *about: Any, **more: Any) -> SamplingResult:
            result = given.should_sample(Context(), *about, **more)
            result.trace_state = get_current_span(parent_context).get_span_context().trace_state
            return result

        def get_description(self) -> str:
            return given.get_description()

    return OwnSampler()


def close() -> None:
    """Send the spans that wait, for at most FLUSH_SECONDS, and stop.

    The SDK's own limit does not hold: it waits 10 s for each batch that a collector does not take. So a thread waits,
    which ends with the process.
    """
    provider, _Process.provider, _Process.tracer = _Process.provider, None, None
    if provider is not None:
        ending = Thread(target=_end, args=(provider,), name="tracing ends", daemon=True)
        ending.start()
        ending.join(FLUSH_SECONDS)


def _end(provider: "TracerProvider") -> None:
    provider.force_flush()
    provider.shutdown()


def active() -> bool:
    """True if this process makes spans."""
    return _Process.tracer is not None


@contextmanager
def span(
    name: str,
    kind: SpanKindName,
    attributes: Mapping[str, Any],
    parent: Mapping[str, str],
    links: Sequence[Mapping[str, str]] = (),
) -> Iterator["Span | None"]:
    """Make a span, if this process makes any. `parent` and `links` are headers of messages, or empty.

    An exception that leaves the block is named by its type.
    """
    tracer = _Process.tracer
    if tracer is None:
        yield None
        return
    from opentelemetry.trace import Link, SpanKind  # noqa: PLC0415

    made = tracer.start_span(
        name,
        _context(parent),
        SpanKind[kind],
        {key: value for key, value in attributes.items() if value is not None},
        [Link(known) for one in links if (known := _span_context(one)).is_valid],
    )
    try:
        yield made
    except BaseException as error:
        fail(made, type(error).__qualname__)
        raise
    finally:
        made.end()


def fail(made: "Span", error_type: str) -> None:
    """Mark a span as an error of this type."""
    from opentelemetry.trace import StatusCode  # noqa: PLC0415

    made.set_attribute("error.type", error_type)
    made.set_status(StatusCode.ERROR)


def headers_of(made: "Span") -> dict[str, str]:
    """Return the headers by which what follows becomes a child of a span."""
    from opentelemetry.trace import set_span_in_context  # noqa: PLC0415
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415

    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier, set_span_in_context(made))
    return carrier


@contextmanager
def publishing(message: Rendered) -> Iterator[list[Answer]]:
    """Make the span of a publish, whose context the message carries from now on. The block adds the broker's answer."""
    answers: list[Answer] = []
    about, headers = message.properties, message.properties.headers
    if not active() or headers is None:
        yield answers
        return
    place = f"{message.exchange or 'amq.default'}:{message.routing_key}"
    attributes = {
        **MESSAGING,
        "messaging.operation.type": "send",
        "messaging.operation.name": "publish",
        "messaging.destination.name": place,
        "messaging.rabbitmq.destination.routing_key": message.routing_key,
        "messaging.message.id": about.message_id,
        "messaging.message.conversation_id": about.correlation_id,
        "messaging.message.body.size": len(message.body),
        "oms.message.type": about.message_type,
        "oms.stream": str(headers["stream"]) if "stream" in headers else None,
        "oms.reason": str(headers["reason"]) if "reason" in headers else None,  # of a dead letter
    }
    parent = {name: str(headers[name]) for name in (TRACEPARENT, TRACESTATE) if name in headers}
    # the default exchange's keys are queues, among them one for each client that asks: too many for names
    with span(f"publish {place if message.exchange else 'amq.default'}", "PRODUCER", attributes, parent) as made:
        assert made is not None, "this process makes spans"
        headers.pop(TRACESTATE, None)
        headers.update(headers_of(made))
        yield answers
        if answers and answers[0].outcome is not PublishOutcome.CONFIRMED:
            fail(made, answers[0].outcome)


def _context(headers: Mapping[str, str]) -> Any:
    from opentelemetry.context import Context  # noqa: PLC0415
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415

    return TraceContextTextMapPropagator().extract(headers, Context())


def _span_context(headers: Mapping[str, str]) -> "SpanContext":
    from opentelemetry.trace import get_current_span  # noqa: PLC0415

    return get_current_span(_context(headers)).get_span_context()
