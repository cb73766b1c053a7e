"""The spans of a worker: one for each batch, with a link to each of its messages, and one for each call to a provider.

What a message causes stays in the trace of the message. Alone in its batch it is also the parent of the batch's span,
and what it causes is a child of that. A message that came without a trace begins one. The span of a batch in which a
message failed is an error, named by the reason.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from messages.envelope import Envelope
from messages.trace_context import TRACEPARENT, TRACESTATE
from outbox import tracing
from workers.runtime.decode import Work
from workers.runtime.delivery import clean
from workers.runtime.policy import Kind, Outcome

FAILED = (Kind.RETRIED, Kind.DEAD_LETTERED, Kind.INVALID, Kind.REFUSED)
"""What makes the span of a batch an error. A message that waits for a lock or belongs to another cell does not."""


@contextmanager
def processing(queue: str, works: Sequence[Work]) -> Iterator[list[Outcome]]:
    """Make the span of a batch, if this process makes any. The block adds the outcomes of its messages."""
    outcomes: list[Outcome] = []
    if not tracing.active():
        yield outcomes
        return
    for work in works:
        work.envelopes = tuple(item if item.traceparent else _begun(queue, item) for item in work.envelopes)
        if len(work.envelopes) == 1:
            _follow(work, work.envelopes[0].trace)
    traces = [trace for work in works for trace in _traces(work)]
    alone = works[0] if len(traces) == 1 else None
    attributes = {
        **tracing.MESSAGING,
        "messaging.operation.type": "process",
        "messaging.operation.name": "process",
        "messaging.destination.name": queue,
        "messaging.batch.message_count": None if alone else len(traces),
        **(_named(alone) if alone else {}),
    }
    with tracing.span(f"process {queue}", "CONSUMER", attributes, traces[0] if alone else {}, traces) as made:
        assert made is not None, "this process makes spans"
        if alone is not None:
            _follow(alone, tracing.headers_of(made))
        yield outcomes
        failed = [one.failure.reason for one in outcomes if one.failure is not None and one.kind in FAILED]
        if failed:
            tracing.fail(made, failed[0])
            made.set_attribute("oms.messages.failed", len(failed))


@contextmanager
def call(queue: str, item: Envelope[Any]) -> Iterator[None]:
    """Make the span of a call to another system, if this process makes any."""
    if not tracing.active():
        yield
        return
    system = queue.rpartition(".")[2]
    with tracing.span(f"call {system}", "CLIENT", {"peer.service": system, **_about(item)}, item.trace):
        yield


def _traces(work: Work) -> list[dict[str, str]]:
    """The traces of a delivery's messages; one that cannot be read has its delivery's."""
    return [item.trace for item in work.envelopes] or [work.delivery.trace]


def _named(work: Work) -> dict[str, Any]:
    if not work.envelopes:
        return {"messaging.message.id": clean(work.message_id), "oms.message.type": work.type}
    (item,) = work.envelopes
    return _about(item)


def _about(item: Envelope[Any]) -> dict[str, Any]:
    order_id = getattr(item.body, "order_id", None)
    return {
        "messaging.message.id": item.id,
        "messaging.message.conversation_id": item.correlation_id,
        "oms.message.type": item.body.TYPE,
        "oms.order.id": None if order_id is None else str(order_id),
    }


def _follow(work: Work, headers: dict[str, str]) -> None:
    """Let what a message causes, and the message itself where it is sent on, be children of the span of its batch."""
    work.delivery = replace(work.delivery, headers={**work.delivery.headers, **headers})
    work.envelopes = tuple(_traced(item, headers) for item in work.envelopes)


def _begun(queue: str, item: Envelope[Any]) -> Envelope[Any]:
    attributes = {
        **tracing.MESSAGING,
        "messaging.operation.type": "receive",
        "messaging.operation.name": "receive",
        "messaging.destination.name": queue,
        **_about(item),
    }
    with tracing.span(f"receive {queue}", "CONSUMER", attributes, {}) as made:
        assert made is not None, "this process makes spans"
        return _traced(item, tracing.headers_of(made))


def _traced(item: Envelope[Any], headers: dict[str, str]) -> Envelope[Any]:
    return replace(item, traceparent=headers.get(TRACEPARENT), tracestate=headers.get(TRACESTATE))
