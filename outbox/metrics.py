"""The Prometheus metrics of publishing. Labels are few and bounded."""

import platform

from prometheus_client import Counter, Gauge, Histogram, disable_created_metrics

from outbox.announcement import MUST_ROUTE
from outbox.outcome import PublishOutcome
from outbox.shared_gauge import SharedGauge
from outbox.version import version

BUILD = Gauge("oms_build_info", "Always 1; the labels name what this process runs", ["version", "python"])
BUILD.labels(version(), platform.python_version()).set(1)
disable_created_metrics()  # type: ignore[no-untyped-call]  # they double the series of each counter, and no query of ours uses them

PENDING = SharedGauge("oms_outbox_pending", "Rows that wait in the outbox, counted up to 100,000")
OLDEST_AGE = SharedGauge("oms_outbox_oldest_age_seconds", "Age of the oldest row in the outbox, 0 when it is empty")
HELD = SharedGauge("oms_outbox_held", "Rows of held streams, counted up to 100,000", "destination")
HELD_STREAMS = SharedGauge(
    "oms_outbox_held_streams", "Streams that wait because the broker did not take their first message"
)
RELAYS = SharedGauge("oms_outbox_relays", "Relays that live and can publish")
SHARDS = Gauge("oms_outbox_shards", "Shards that this relay publishes")
LEASES_LOST = Counter("oms_outbox_leases_lost_total", "Shards whose lease ran out while this relay held them")
REPEATED = Counter("oms_outbox_repeated_total", "Published rows that the shard's next owner will publish again")
PUBLISH_SECONDS = Histogram(
    "oms_outbox_publish_seconds",
    "Time from a publish to the broker's answer",
    buckets=(0.002, 0.01, 0.05, 0.25, 1, 5, 30),
)
WAIT_SECONDS = Histogram(
    "oms_outbox_wait_seconds",
    "Time from the insert of a row until a relay read it and published it, on the clock of the database",
    buckets=(0.005, 0.02, 0.1, 0.5, 2, 10, 60),
)
PUBLISHED = Counter("oms_outbox_publish_total", "Publishes by outcome", ["outcome"])
REFUSED = Counter(
    "oms_outbox_refused_total", "Messages that the broker or AMQP refuses whenever they are sent", ["destination"]
)
DROPPED_EVENTS = Counter(
    "oms_outbox_dropped_events_total", "Events that the queue of one subscriber refused and will never get", ["queue"]
)
DROPPED_REPLIES = Counter(
    "oms_outbox_dropped_replies_total",
    "Replies that were refused again when they were older than OMS_REPLY_MAX_AGE_SECONDS, by the last outcome",
    ["outcome"],
)
CONNECTION_UP = Gauge("oms_amqp_connection_up", "1 while the connection is open", ["role"])
CONNECTION_BLOCKED = Gauge("oms_amqp_connection_blocked", "1 while the broker accepts no messages", ["role"])
RECONNECTS = Counter("oms_amqp_reconnects_total", "Connections that ended and were opened again", ["role"])

_BY_OUTCOME = {outcome: PUBLISHED.labels(outcome) for outcome in PublishOutcome}


_REFUSING_QUEUES: set[str] = set()
for _destination in MUST_ROUTE:
    REFUSED.labels(_destination)
DROPPED_EVENTS.labels("unknown")  # the queues get their series when they are found
for _outcome in PublishOutcome:
    if _outcome.concerns_message:
        DROPPED_REPLIES.labels(_outcome)


def dropped_events(queue: str, count: int, *, labels_max: int) -> None:
    """Count events that a subscriber's queue refused. Queues beyond `labels_max` share the label `other`."""
    if len(_REFUSING_QUEUES) < labels_max:
        _REFUSING_QUEUES.add(queue)
    DROPPED_EVENTS.labels(queue if queue in _REFUSING_QUEUES else "other").inc(count)


def published(outcome: PublishOutcome, seconds: float) -> None:
    """Count one publish."""
    _BY_OUTCOME[outcome].inc()
    PUBLISH_SECONDS.observe(seconds)


def prepare(role: str) -> None:
    """Make the series of a role exist from the start: an increase from nothing is no increase for Prometheus."""
    CONNECTION_UP.labels(role)
    CONNECTION_BLOCKED.labels(role)
    RECONNECTS.labels(role)


def connected(role: str, *, up: bool) -> None:
    """Record that the connection of a role was opened or has ended."""
    CONNECTION_UP.labels(role).set(up)
    if not up:
        RECONNECTS.labels(role).inc()


def blocked(role: str, is_blocked: bool) -> None:
    """Record whether the broker blocks the connection of a role."""
    CONNECTION_BLOCKED.labels(role).set(is_blocked)
