"""The spans of a worker: one for each batch, with a link to each of its messages, and one for each call to a provider.

What a message causes stays in the trace of the message. Alone in its batch it is also the parent of the batch's span,
and what it causes is a child of that. A message that came without a trace begins one.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from messages.envelope import Envelope
from messages.trace_context import TRACEPARENT, TRACESTATE
from outbox import tracing
from workers.runtime.decode import Work


@contextmanager
def processing(queue: str, works: Sequence[Work]) -> Iterator[None]:
    """Make the span of a batch, if this process makes any."""
    if not tracing.active():
        yield
        return
    for work in works:
        if not work.by_us:
            _decide(work)
        work.envelopes = tuple(item if item.traceparent else _begun(queue, item) for item in work.envelopes)
    items = [item for work in works for item in work.envelopes]
    alone = items[0] if len(items) == 1 else None
    attributes: dict[str, Any] = {
        **tracing.MESSAGING,
        "messaging.operation.type": "process",
        "messaging.operation.name": "process",
        "messaging.destination.name": queue,
        "messaging.batch.message_count": None if alone else len(items),
        "messaging.message.id": alone and alone.id,
        "messaging.message.conversation_id": alone and alone.correlation_id,
        "oms.message.type": alone and alone.body.TYPE,
        "oms.order.id": alone and _order(alone),
    }
    links = [item.trace for item in items]
    with tracing.span(f"process {queue}", "CONSUMER", attributes, alone.trace if alone else {}, links) as made:
        if alone is not None and made is not None:
            (work,) = (one for one in works if one.envelopes)
            work.envelopes = (_traced(alone, tracing.headers_of(made)),)
        yield


@contextmanager
def call(queue: str, item: Envelope[Any]) -> Iterator[None]:
    """Make the span of a call to another system, if this process makes any."""
    if not tracing.active():
        yield
        return
    system = queue.rpartition(".")[2]
    attributes = {
        "peer.service": system,
        "messaging.message.id": item.id,
        "oms.message.type": item.body.TYPE,
        "oms.order.id": _order(item),
    }
    with tracing.span(f"call {system}", "CLIENT", attributes, item.trace):
        yield


def _decide(work: Work) -> None:
    """Decide whether the trace of a client is sampled, in place of the client.

    The delivery gets it, too: what is sent on of it, as to the delay exchange, comes back as a message of ours.
    """
    if not (trace := work.delivery.trace):
        return
    decided = tracing.sampled_by_us(trace)
    work.delivery = replace(work.delivery, headers={**work.delivery.headers, **decided})
    work.envelopes = tuple(_traced(item, decided) if item.traceparent else item for item in work.envelopes)


def _begun(queue: str, item: Envelope[Any]) -> Envelope[Any]:
    attributes = {
        **tracing.MESSAGING,
        "messaging.operation.type": "receive",
        "messaging.operation.name": "receive",
        "messaging.destination.name": queue,
        "messaging.message.id": item.id,
        "messaging.message.conversation_id": item.correlation_id,
        "oms.message.type": item.body.TYPE,
        "oms.order.id": _order(item),
    }
    with tracing.span(f"receive {queue}", "CONSUMER", attributes, {}) as made:
        assert made is not None, "this process makes spans"
        return _traced(item, tracing.headers_of(made))


def _order(item: Envelope[Any]) -> str | None:
    one = getattr(item.body, "order_id", None)
    return None if one is None else str(one)


def _traced(item: Envelope[Any], headers: dict[str, str]) -> Envelope[Any]:
    return replace(item, traceparent=headers.get(TRACEPARENT), tracestate=headers.get(TRACESTATE))
