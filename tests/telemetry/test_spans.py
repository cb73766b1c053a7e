"""Spans of batches link to their messages, and reach a collector by OTLP over HTTP."""

import itertools
import socket
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from db.errors import ConfigurationError
from outbox import tracing
from outbox.amqp import Properties
from outbox.outcome import Answer, PublishOutcome
from outbox.rendering import Rendered
from tests.runtime.builders import PAYMENT, delivery, payment, read
from tests.runtime.harness import write_effects
from tests.telemetry.collector import collecting
from workers.runtime.decode import Work
from workers.runtime.policy import Kind, Outcome, fail
from workers.runtime.route import Route
from workers.telemetry import lines, spans

TRACES = [f"{number:032x}" for number in (7, 8)]


@pytest.fixture
def exporter() -> Iterator[InMemorySpanExporter]:
    made = InMemorySpanExporter()
    tracing.use(SimpleSpanProcessor(made), "test")
    yield made
    tracing.close()


def work(trace: str | None, number: int = 1) -> Work:
    headers = {"traceparent": f"00-{trace}-{number:016x}-01"} if trace else {}
    return read("payment-results", delivery(PAYMENT, payment(), user_id="payments", headers=headers))


def traces(items: Any) -> list[str]:
    return [f"{one.context.trace_id:032x}" for one in items]


def test_a_batch_links_to_each_message_and_leaves_each_in_its_trace(exporter: InMemorySpanExporter) -> None:
    works = [work(TRACES[0]), work(TRACES[1]), work(None)]
    with spans.processing("payment-results", works):
        pass
    received, batch = exporter.get_finished_spans()
    assert (received.name, batch.name, batch.parent) == ("receive payment-results", "process payment-results", None)
    assert traces(batch.links) == [*TRACES, *traces([received])]
    assert [one.envelopes[0].trace["traceparent"].split("-")[1] for one in works] == traces(batch.links)
    assert [one.delivery.trace for one in works] == [one.envelopes[0].trace for one in works], (
        "a retry stays there, too"
    )
    assert (batch.attributes or {})["messaging.batch.message_count"] == 3


TAKEN, LEFT = (f"{'f' * 16}{number:016x}" for number in (7, 2**64 - 7))


@pytest.mark.parametrize(
    ("sampler", "trace", "flags"),
    [
        ("parentbased_always_off", TAKEN, "00"),
        ("parentbased_always_on", LEFT, "01"),
        ("parentbased_traceidratio", TAKEN, "01"),
        ("parentbased_traceidratio", LEFT, "00"),
    ],
)
def test_our_sampler_decides_by_the_id_of_a_trace_whatever_flag_comes_from_whomever(
    monkeypatch: pytest.MonkeyPatch, sampler: str, trace: str, flags: str
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", sampler)
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0.5")
    made = InMemorySpanExporter()
    tracing.use(SimpleSpanProcessor(made), "test")
    for claimed, user in itertools.product(("00", "01"), ("payments", "relay")):
        headers = {"traceparent": f"00-{trace}-{7:016x}-{claimed}", "tracestate": "shop=buy", "origin-user": "payments"}
        one = read("payment-results", delivery(PAYMENT, payment(), user_id=user, headers=headers))
        made.clear()
        with spans.processing("payment-results", [one]):
            pass
        assert len(made.get_finished_spans()) == int(flags), (user, claimed)
        (item,) = one.envelopes
        for goes_on in (item.trace, one.delivery.trace):  # what it causes, and a retry of it
            assert goes_on["traceparent"].startswith(f"00-{trace}-"), (user, claimed)
            assert (goes_on["traceparent"][-2:], goes_on["tracestate"]) == (flags, "shop=buy"), (user, claimed)
    tracing.close()


def test_what_fails_makes_the_span_an_error_and_is_sent_on_as_its_child(exporter: InMemorySpanExporter) -> None:
    headers = {"traceparent": f"00-{TRACES[0]}-{7:016x}-01"}
    unread, sound = (
        read("payment-results", delivery(PAYMENT, b"{", user_id="payments", headers=headers)),
        work(TRACES[1]),
    )
    for works in ([unread], [unread, sound]):
        exporter.clear()
        with spans.processing("payment-results", works) as outcomes:
            assert unread.failure is not None
            outcomes += [fail(unread, unread.failure, 7), *(Outcome(one, Kind.ACKED) for one in works[1:])]
        (batch,) = exporter.get_finished_spans()
        about = batch.attributes or {}
        assert (batch.status.status_code, about["error.type"]) == (StatusCode.ERROR, "invalid")
        assert (len(batch.links), about["oms.messages.failed"]) == (len(works), 1), "the other was handled"
        if len(works) == 1:
            assert batch.parent is not None
            assert (f"{batch.parent.span_id:016x}", about["messaging.message.id"]) == (f"{7:016x}", unread.message_id)
            sent_on = unread.delivery.trace["traceparent"].split("-")
            assert sent_on[1:3] == [TRACES[0], f"{batch.context.span_id:016x}"]
    exporter.clear()
    for kind in Kind:
        with spans.processing("payment-results", [work(TRACES[1])]) as outcomes:
            outcomes.append(Outcome(unread, kind, unread.failure))
    errors = {kind for kind, one in zip(Kind, exporter.get_finished_spans(), strict=True) if not one.status.is_ok}
    assert errors == {Kind.RETRIED, Kind.DEAD_LETTERED, Kind.INVALID, Kind.REFUSED}


def test_a_publish_that_the_broker_does_not_confirm_is_an_error(exporter: InMemorySpanExporter) -> None:
    for outcome in PublishOutcome:
        with tracing.publishing(Rendered("oms.events", "order.paid", Properties(headers={}), b"{}", False)) as answers:
            answers.append(Answer(outcome))
    published = zip(PublishOutcome, exporter.get_finished_spans(), strict=True)
    assert [outcome for outcome, one in published if one.status.is_ok] == [PublishOutcome.CONFIRMED]


def test_the_publish_of_a_dead_letter_names_its_place_and_its_reason(exporter: InMemorySpanExporter) -> None:
    about = Properties(message_id="m1", message_type="order.create.v1", headers={"reason": "invalid"})
    for exchange, named in (("oms.dlx", "publish oms.dlx:oms.order-creation"), ("", "publish amq.default")):
        exporter.clear()
        with tracing.publishing(Rendered(exchange, "oms.order-creation", about, b"{}", True)) as answers:
            answers.append(Answer(PublishOutcome.NACKED))
        (sent,) = exporter.get_finished_spans()
        assert (sent.name, (sent.attributes or {})["oms.reason"]) == (named, "invalid")
        assert sent.status.status_code is StatusCode.ERROR, "the broker did not take it"


def test_a_full_batch_links_to_all_its_messages(exporter: InMemorySpanExporter) -> None:
    batch_max_items = Route("payment-results", write_effects).batch_max_items
    with spans.processing("payment-results", [work(TRACES[0], number + 1) for number in range(batch_max_items)]):
        pass
    (batch,) = exporter.get_finished_spans()
    assert len(batch.links) == batch_max_items


def test_a_call_is_in_the_trace_of_its_message_and_names_an_error_by_its_type(exporter: InMemorySpanExporter) -> None:
    works = [work(TRACES[0]), work(TRACES[1])]
    item = works[1].envelopes[0]
    with pytest.raises(OSError, match="Ada"), lines.calling("provider-calls.wechat", works), lines.about(item.id):
        raise ConnectionError("Ada Lovelace")
    (call,) = exporter.get_finished_spans()
    assert (call.name, traces([call])) == ("call wechat", [TRACES[1]])
    assert (call.attributes or {})["error.type"] == "ConnectionError"
    assert "Ada" not in call.to_json()


def test_spans_reach_a_collector_by_otlp_over_http(monkeypatch: pytest.MonkeyPatch) -> None:
    with collecting() as (endpoint, collected):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
        monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
        tracing.configure("otlp", "oms-worker")
        with spans.processing("payment-results", [work(TRACES[0])]):
            pass
        tracing.close()
    (sent,) = collected
    assert (sent.name, sent.trace, sent.links) == ("process payment-results", TRACES[0], [f"{1:016x}"])
    assert (sent.resource["service.name"], sent.resource["deployment.environment.name"]) == ("oms-worker", "test")


def test_a_collector_that_does_not_answer_keeps_no_process_from_ending(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing, "FLUSH_SECONDS", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        tracing.configure("otlp", "oms-worker")
        with spans.processing("payment-results", [work(TRACES[0])]):
            pass
        began = time.monotonic()
        tracing.close()
    assert time.monotonic() - began < 8, "the SDK waits 10 s for each batch"


def test_without_the_extra_the_setting_is_refused_and_off_needs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("opentelemetry")]:
        monkeypatch.setitem(sys.modules, name, None)
    tracing.configure("off", "oms-worker")
    with spans.processing("payment-results", [work(TRACES[0])]), tracing.span("x", "CLIENT", {}, {}) as made:
        assert made is None
    with pytest.raises(ConfigurationError, match="tracing"):
        tracing.configure("otlp", "oms-worker")
