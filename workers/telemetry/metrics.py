"""The Prometheus metrics of the workers. Labels are bounded: queues, message types and outcomes."""

from collections import Counter as Tally
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from math import inf
from time import time

from prometheus_client import Counter, Gauge, Histogram, Summary

from db.pool import Pool
from outbox.publisher import PUBLISHED_AT
from workers.runtime.decode import OURSELVES, Work
from workers.runtime.policy import Kind, Outcome, deliberate_seconds, tier_seconds

SECONDS = (0.01, 0.05, 0.25, 1, 5)  # few: each is a series for every queue of the process
LONG_SECONDS = (0.05, 0.25, 1, 5, 30, 300)
WAITS = (0.1, 1, 10, 60)
POOL_WAITS = (0.01, *WAITS)
CLIENTS_SECONDS_MAX = 86_400  # a client says when its message came to be: a wrong clock must not outweigh all others
BY_TYPE = ("queue", "message_type")

RECEIVED = Counter("oms_messages_received_total", "Messages delivered; items of packs count", ["queue"])
PROCESSED = Counter("oms_messages_processed_total", "Messages settled; items of packs count", (*BY_TYPE, "outcome"))
DELIVERIES = Counter("oms_deliveries_settled_total", "Deliveries settled; a pack is one, as in its queue", ["queue"])
LOCAL = Counter("oms_messages_local_total", "Messages handled in the transaction of their sender", BY_TYPE)
BATCH_SECONDS = Histogram(
    "oms_message_processing_seconds", "Duration of the transaction of one batch", ["queue"], buckets=SECONDS
)
BATCH_ITEMS = Summary("oms_batch_items", "Messages handled in one transaction", ["queue"])
CRITICAL_SECONDS = Histogram(
    "oms_message_critical_time_seconds",
    "Time from the cause of a message until it was handled, with all its retries and without deliberate delay",
    ["queue"],
    buckets=LONG_SECONDS,
)
QUEUE_WAIT = Histogram(
    "oms_queue_wait_seconds",
    "Time from our publish of a message until its delivery, without the time in a delay tier; not of what clients send",
    ["queue"],
    buckets=WAITS,
)
POOL_WAIT = Histogram("oms_db_pool_wait_seconds", "Wait of a batch for a database connection", buckets=POOL_WAITS)
REPLAYS = Counter("oms_replays_total", "Replayed dead letters by outcome", ["outcome"])
IN_FLIGHT = Gauge("oms_messages_in_flight", "Messages delivered and not yet settled, dead letters apart", ["queue"])
CONSUMERS = Gauge("oms_consumers", "1 while this process consumes the queue", ["queue"])
PAUSED = Gauge("oms_consumer_paused", "1 while consuming waits for the database or another system", ["queue"])
HANDLER_FAILURES = Counter("oms_handler_failures_total", "Messages that raised when handled alone", ["queue"])
DEAD_LETTERS = Counter("oms_dead_letters_total", "Messages dead-lettered", ["queue", "reason"])
POOL_SIZE = Gauge("oms_db_pool_size", "Open database connections")
POOL_IN_USE = Gauge("oms_db_pool_in_use", "Database connections in use")

DEAD_LETTER_QUEUES = "dead-letters"

for _kind in (Kind.ACKED, Kind.RETRIED, Kind.DEAD_LETTERED):
    REPLAYS.labels(_kind)


def label(queue: str) -> str:
    """Return the label under which a queue is measured: the many queues of dead letters share one.

    What each of them holds, oms_dead_letters_open says.
    """
    return DEAD_LETTER_QUEUES if queue.endswith(".dlq") else queue


def prepare(queue: str) -> None:
    """Make the counter of failures exist from the start: an increase from nothing is no increase for Prometheus.

    Those of types, outcomes and dead letters begin with their first message, since all of them would be thousands of
    series, and most are never used. oms_dead_letters_open shows a dead letter from the first on.
    """
    HANDLER_FAILURES.labels(label(queue))


def received(queue: str, work: Work) -> None:
    """Count one delivery."""
    measured_as = label(queue)
    RECEIVED.labels(measured_as).inc(work.items)
    if measured_as == queue:
        IN_FLIGHT.labels(queue).inc()
    since = work.delivery.text(PUBLISHED_AT)
    if since and work.by_us:  # others may send what they like
        with suppress(ValueError, OverflowError):  # an older version of ours may write it otherwise
            waited = time() - datetime.fromisoformat(since).timestamp() - tier_seconds(work)
            QUEUE_WAIT.labels(measured_as).observe(max(0.0, waited))


def lost(queue: str) -> None:
    """Note that the channel of a queue is gone: the broker delivers again what was not settled."""
    if label(queue) == queue:
        IN_FLIGHT.labels(queue).set(0)


def settled(queue: str, outcomes: Sequence[Outcome]) -> None:
    """Count a batch after its messages were acknowledged or given back."""
    measured_as = label(queue)
    if measured_as == queue:
        IN_FLIGHT.labels(queue).dec(len(outcomes))
    DELIVERIES.labels(measured_as).inc(len(outcomes))
    BATCH_ITEMS.labels(measured_as).observe(sum(outcome.work.items for outcome in outcomes))
    tally: Tally[tuple[str, Kind]] = Tally()
    for outcome in outcomes:
        tally[outcome.work.type, outcome.kind] += outcome.work.items
        if outcome.work.replay_of:
            REPLAYS.labels(outcome.kind).inc()
    for (message_type, kind), items in tally.items():
        PROCESSED.labels(measured_as, message_type, kind).inc(items)
    _observe_critical_time(measured_as, outcomes)


def _observe_critical_time(queue: str, outcomes: Sequence[Outcome]) -> None:
    now = datetime.now(UTC).timestamp()
    observe = CRITICAL_SECONDS.labels(queue).observe
    for work in (outcome.work for outcome in outcomes if outcome.kind is Kind.ACKED and not outcome.work.replay_of):
        done = now - deliberate_seconds(work)
        longest = inf if work.sender == OURSELVES else CLIENTS_SECONDS_MAX
        for item in work.envelopes:
            observe(min(max(0.0, done - item.occurred_at.timestamp()), longest))


def pools(opened: Iterable[Pool]) -> None:
    """Report the sizes of these pools at each scrape."""
    all_of_them = tuple(opened)
    POOL_SIZE.set_function(lambda: sum(pool.get_size() for pool in all_of_them))
    POOL_IN_USE.set_function(lambda: sum(pool.get_size() - pool.get_idle_size() for pool in all_of_them))
