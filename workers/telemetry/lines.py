"""What the log says about messages. A line is made only where something went wrong, one for each message.

Fields of a line: `queue`, `type`, `message_id`, `order_id`, `correlation_id`, `causation_id` and `trace_id` name the
message, as far as it has them; `reason`, `error`, `at` (file and line of our own code), `path`, `why` and `print` (the
fingerprint) say what was wrong. No field holds a value of a body, but for ids that are no personal data.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import structlog
from structlog.contextvars import bound_contextvars

from messages.envelope import Envelope
from messages.trace_context import trace_id
from outbox.tracebacks import own_place
from workers.runtime.decode import Work
from workers.runtime.delivery import clean
from workers.runtime.errors import Failure
from workers.runtime.policy import Kind, Outcome
from workers.telemetry import spans

log = structlog.get_logger(__name__)

EVENTS = {
    Kind.RETRIED: "message failed, will be tried again",
    Kind.SET_ASIDE: "message set aside, because another session holds a row that it needs",
    Kind.HANDED_ON: "message handed on to another cell",
    Kind.REFUSED: "query failed",
}
DEAD = "message dead-lettered"
Fields = dict[str, Any]
_called: ContextVar[tuple[str, dict[str, Envelope[Any]]] | None] = ContextVar("called", default=None)


def of_work(queue: str, work: Work) -> Fields:
    """Name a message. A pack is named as one, with the orders of its items."""
    items, given = work.envelopes, work.delivery
    if len(items) == 1:
        return of_item(queue, items[0]) | _tries(work)
    return _tries(work) | {
        "queue": queue,
        "type": work.type,
        "message_id": clean(work.message_id),
        "correlation_id": clean(given.properties.correlation_id or "") or None,
        "causation_id": clean(given.text("causation-id") or "") or None,
        "order_ids": sorted({one for item in items for one in _orders(item)}) or None,
        "trace_id": trace_id(given.trace.get("traceparent")),
    }


def _tries(work: Work) -> Fields:
    """Say how often a message was tried before, how often it waited for a lock, and since when."""
    before = bool(work.attempt or work.lock_waits)
    since = clean(work.delivery.text("first-failed-at") or "") if before else None
    return {"attempt": work.attempt, "lock_waits": work.lock_waits or None, "first_failed_at": since}


def of_item(queue: str, item: Envelope[Any]) -> Fields:
    """Name a message as its handler sees it, also one of a pack."""
    orders = _orders(item)
    return {
        "queue": queue,
        "type": item.body.TYPE,
        "message_id": clean(item.id),
        "correlation_id": clean(item.correlation_id),
        "causation_id": item.causation_id,
        **({"order_ids": orders} if len(orders) > 1 else {"order_id": orders[0] if orders else None}),
        "trace_id": trace_id(item.traceparent),
    }


def _orders(item: Envelope[Any]) -> list[str]:
    one = getattr(item.body, "order_id", None)
    return [str(one)] if one is not None else [str(many) for many in getattr(item.body, "order_ids", None) or ()]


def of_failure(failure: Failure) -> Fields:
    """Say what was wrong, without any value."""
    return {
        "reason": failure.reason,
        "error": failure.error_type,
        "at": own_place(failure.traceback),
        "path": failure.path or None,
        "why": failure.message,
        "print": failure.fingerprint,
    }


def left(queue: str, outcome: Outcome) -> None:
    """Write the line of a message that leaves its queue undone."""
    if outcome.failure is not None:
        fields = of_work(queue, outcome.work) | of_failure(outcome.failure)
        log.warning(EVENTS.get(outcome.kind, DEAD), **_known(fields))


def left_pack(queue: str, item: Envelope[Any], outcome: Outcome) -> None:
    """Write the line of an item that leaves its pack undone."""
    assert outcome.failure is not None, "an item without a failure stays in its pack"
    log.warning(EVENTS.get(outcome.kind, DEAD), **_known(of_item(queue, item) | of_failure(outcome.failure)))


def taken_apart(queue: str, work: Work, failure: Failure) -> None:
    """Write the line of a pack whose items are tried one by one."""
    fields = _known(of_work(queue, work) | of_failure(failure))
    log.warning("pack failed, its items are tried alone", **fields, items=len(work.pieces))


def rejected(queue: str, item: Envelope[Any], provider: str, code: str) -> Callable[[], None]:
    """Return what writes the line of a fact that is not believed: call it once its rejection has committed."""
    return lambda: log.warning("fact rejected", **_known(of_item(queue, item)), provider=provider, code=code)


def stays(queue: str, outcome: Outcome, answer: str) -> None:
    """Write the line of a message that the broker did not take to its next place."""
    fields = of_work(queue, outcome.work)
    log.warning("publish not confirmed, message stays", **_known(fields), outcome=outcome.kind, answer=answer)


def paused(queue: str, works: Sequence[Work], error: BaseException | None) -> None:
    """Write the line of a batch that waits for a server: how many messages, and the first of them."""
    fields = _known(of_work(queue, works[0])) if works else {"queue": queue}
    why = {"error": type(error).__qualname__, "why": str(error)}
    log.warning("a server is away, paused until it answers", **fields, messages=len(works), **why)


@contextmanager
def calling(queue: str, works: Sequence[Work]) -> Iterator[None]:
    """While the block runs, `about` finds these messages by their ids: another system is called for each."""
    token = _called.set((queue, {item.id: item for work in works for item in work.envelopes}))
    try:
        yield
    finally:
        _called.reset(token)


@contextmanager
def about(item_id: str) -> Iterator[None]:
    """Make the span of a call to another system. Each line of this task names the message that needs it."""
    queue, items = _called.get() or ("", {})
    if (item := items.get(item_id)) is None:
        yield
        return
    with bound_contextvars(**_known(of_item(queue, item))), spans.call(queue, item):
        yield


def _known(fields: Fields) -> Fields:
    return {name: value for name, value in fields.items() if value is not None}
