"""The trace of a client's message has every event and call that follows from it, and spans, if they are wanted."""

from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from messages.trace_context import trace_id
from outbox import tracing
from tests.e2e.system import RunningSystem, order_create, payment
from tests.e2e.upstream import now

TRACE, CLIENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
BY_ORDER = ("oms.order.id", "oms.stream")
"""The attributes by which the spans of an order are found."""
TRACED = {"traceparent": f"00-{TRACE}-{CLIENT}-01", "tracestate": "shop=buy"}


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    """Where the spans of this process go while the test runs."""
    exporter = InMemorySpanExporter()
    tracing.use(SimpleSpanProcessor(exporter), "test")
    yield exporter
    tracing.close()


def raw(headers: dict[str, Any]) -> dict[bytes, bytes]:
    return {name.encode(): str(headers[name]).encode() for name in TRACED if name in headers}


async def test_an_order_stays_in_the_trace_of_its_request_while_nothing_makes_spans(system: RunningSystem) -> None:
    body = order_create()
    await system.publish(body, headers=raw(TRACED))
    (created,) = await system.upstream.wait_for_events("order.created", request_id=orjson.loads(body)["request_id"])
    assert {name: created["headers"].get(name) for name in TRACED} == TRACED


async def test_an_order_is_one_trace_from_its_request_until_it_is_paid(
    system: RunningSystem, spans: InMemorySpanExporter
) -> None:
    body = order_create()
    await system.publish(body, headers=raw(TRACED))
    (created,) = await system.upstream.wait_for_events("order.created", request_id=orjson.loads(body)["request_id"])
    amount, order_id = created["amounts"]["payable"], created["order_id"]
    result = payment(order_id=order_id, kind="captured", amount=amount, trade_no=f"t-{order_id}", occurred_at=now())
    await system.payments.publish("payment.result", orjson.loads(result), headers=created["headers"])
    (paid,) = await system.upstream.wait_for_events("order.paid", order_id=order_id)
    await system.wait_until_idle()
    made = [one for one in spans.get_finished_spans() if f"{one.context.trace_id:032x}" == TRACE]
    by_id = {f"{one.context.span_id:016x}": one for one in made}
    steps: list[str] = []
    at = str(paid["headers"]["traceparent"]).split("-")[2]
    assert trace_id(paid["headers"]["traceparent"]) == TRACE
    while at in by_id:
        one = by_id[at]
        steps.append(one.name)
        assert one.parent is not None
        at = f"{one.parent.span_id:016x}"
        if one.name.startswith("process"):
            assert [f"{link.context.span_id:016x}" for link in one.links] == [at], "a batch names its messages"
    events = f"publish {system.broker.names.events}"
    paying = ["process payment-results", f"{events}:order.created", "process order-creation"]
    assert (at, steps) == (CLIENT, [f"{events}:order.paid", *paying])
    named = {(one.name.split(":")[-1], key) for one in made for key in one.attributes or {} if key in BY_ORDER}
    assert {one.attributes[key] for one in made for key in BY_ORDER if one.attributes and key in one.attributes} == {
        order_id
    }
    assert {("order.paid", "oms.stream"), ("process payment-results", "oms.order.id")} <= named
    assert "Main Street" not in str([one.to_json() for one in made])
