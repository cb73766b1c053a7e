"""The metrics of the runtime."""

from datetime import UTC, datetime, timedelta

from prometheus_client import REGISTRY

from tests.runtime.builders import DELETE, TIMER, delete, delivery, pack, read, timers
from workers.runtime.decode import Work
from workers.runtime.policy import Kind, Outcome
from workers.telemetry import metrics


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def settled(queue: str, *outcomes: Outcome) -> None:
    for outcome in outcomes:
        metrics.received(queue, outcome.work)
    metrics.settled(queue, outcomes)


def test_items_of_a_pack_count_as_messages() -> None:
    settled("m1", Outcome(timers("p", 1, 2, 3), Kind.ACKED))
    labels = {"queue": "m1", "message_type": TIMER}
    assert value("oms_messages_received_total", **labels) == 3
    assert value("oms_messages_processed_total", **labels, outcome="acked") == 3
    assert value("oms_messages_in_flight", queue="m1") == 0


def happened(seconds_ago: int, **given: object) -> Work:
    at = datetime.now(UTC) - timedelta(seconds=seconds_ago)
    given.setdefault("headers", {})
    assert isinstance(given["headers"], dict)
    given["headers"]["occurred-at"] = at.isoformat()
    return read("order-changes", delivery(DELETE, delete(), **given))  # type: ignore[arg-type]


def test_critical_time_counts_from_the_cause_of_the_message() -> None:
    settled("m2", Outcome(happened(100), Kind.ACKED))
    total = value("oms_message_critical_time_seconds_sum", queue="m2")
    assert 100 <= total < 110


def test_critical_time_leaves_out_the_time_in_the_delay_exchange() -> None:
    one = delivery(TIMER, pack(1), exchange="oms.delayed", routing_key="1800s.oms.timeouts", user_id="relay")
    work = read("timeouts", one)
    assert metrics._delayed_seconds(work) == 1800
    assert metrics._delayed_seconds(happened(1)) == 0


def test_a_retried_message_has_no_critical_time() -> None:
    again = happened(100, exchange="oms.delayed", user_id="relay", headers={"attempt": "1", "origin-user": ""})
    settled("m3", Outcome(again, Kind.ACKED), Outcome(happened(100), Kind.DUPLICATE))
    assert value("oms_message_critical_time_seconds_count", queue="m3") == 0
