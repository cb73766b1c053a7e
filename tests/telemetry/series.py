"""Prints how many series a process of each group of queues has once a message of every type came, as a JSON object.

It is a program of its own, because the process of the tests has series of other tests. Its argument is a JSON object,
too: the name of a group -> its queues.
"""

import importlib
import sys
from datetime import UTC, datetime

import orjson
from prometheus_client import REGISTRY

from messages.base import Internal
from messages.topology import TAKEN
from tests.runtime.builders import delete, delivery, read
from workers.runtime.health import Health
from workers.runtime.policy import Kind, Outcome
from workers.telemetry import metrics

AT = "2026-01-01T00:00:00+00:00"


def serve(queue: str) -> None:
    """Measure what the runtime does: a message of each type that the queue takes, by the broker and in a chain."""
    ours = {"published-at": datetime.now(UTC).isoformat(), "origin-user": "storefront"}
    work = read("order-changes", delivery(body=delete(), user_id="relay", headers=ours))
    assert work.by_us
    metrics.received(queue, work)
    metrics.settled(queue, [Outcome(work, Kind.ACKED)])
    metrics.BATCH_SECONDS.labels(metrics.label(queue)).observe(1)
    for model in TAKEN.get(queue, ()):
        metrics.PROCESSED.labels(queue, model.TYPE, Kind.ACKED)
        if issubclass(model, Internal):
            metrics.LOCAL.labels(queue, model.TYPE)


def series() -> int:
    """Count the series of this process."""
    return sum(len(family.samples) for family in REGISTRY.collect())


importlib.import_module("workers.app")  # loads every module that has metrics
found = {}
for name, queues in orjson.loads(sys.argv[1]).items():
    before = series()
    health = Health(queues)
    for queue in queues:
        health.consuming(queue, True)
        health.paused(queue, False)
        serve(queue)
    found[name] = series() - before
print(orjson.dumps({"": series() - sum(found.values()), **found}).decode())
