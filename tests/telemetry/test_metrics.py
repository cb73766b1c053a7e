"""The metrics of the runtime."""

from datetime import UTC, datetime, timedelta
from typing import Any

from prometheus_client import REGISTRY

from tests.runtime.builders import DELETE, TIMER, delete, delivery, pack, read, timers
from workers.runtime.decode import Work
from workers.runtime.policy import Kind, Outcome, deliberate_seconds
from workers.runtime.republish import retry_headers
from workers.telemetry import metrics


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def settled(queue: str, *outcomes: Outcome) -> None:
    for outcome in outcomes:
        metrics.received(queue, outcome.work)
    metrics.settled(queue, outcomes)


def test_items_of_a_pack_count_as_messages() -> None:
    settled("m1", Outcome(timers("p", 1, 2, 3), Kind.ACKED))
    assert value("oms_messages_received_total", queue="m1") == 3
    assert value("oms_deliveries_settled_total", queue="m1") == 1
    assert value("oms_messages_processed_total", queue="m1", message_type=TIMER, outcome="acked") == 3
    assert value("oms_messages_in_flight", queue="m1") == 0
    metrics.received("m1", timers("q", 1))
    metrics.lost("m1")
    assert value("oms_messages_in_flight", queue="m1") == 0, "the broker delivers it again"


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


def test_what_a_client_says_counts_for_a_day_at_most_and_never_below_nothing() -> None:
    for seconds_ago in (400 * 86_400, -400 * 86_400):
        settled("m6", Outcome(happened(seconds_ago), Kind.ACKED))
    assert value("oms_message_critical_time_seconds_sum", queue="m6") == 86_400


def test_critical_time_leaves_out_the_time_in_the_delay_exchange() -> None:
    one = delivery(TIMER, pack(1), exchange="oms.delayed", routing_key="1800s.oms.timeouts", user_id="relay")
    work = read("timeouts", one)
    assert deliberate_seconds(work) == 1800
    assert deliberate_seconds(happened(1)) == 0
    again = delivery(TIMER, pack(1), routing_key="5s.oms.timeouts", user_id="relay", headers=retry_headers(work))
    assert deliberate_seconds(read("timeouts", again)) == 1800, "what it waits after a failure is not meant"


def test_the_critical_time_of_a_retried_message_counts_from_its_cause_and_that_of_a_replay_does_not_count() -> None:
    again = happened(100, exchange="oms.delayed", user_id="relay", headers={"attempt": "1", "origin-user": ""})
    replayed = happened(100, exchange="", user_id="relay", headers={"replay-of": "7", "origin-user": ""})
    before = value("oms_replays_total", outcome="acked")
    settled("m3", Outcome(again, Kind.ACKED), Outcome(happened(100), Kind.DUPLICATE), Outcome(replayed, Kind.ACKED))
    assert value("oms_message_critical_time_seconds_count", queue="m3") == 1
    assert 100 <= value("oms_message_critical_time_seconds_sum", queue="m3") < 110
    assert value("oms_replays_total", outcome="acked") == before + 1


def test_the_wait_in_a_queue_counts_from_the_publish_and_leaves_out_the_delay() -> None:
    at = (datetime.now(UTC) - timedelta(seconds=31)).isoformat()
    late: dict[str, Any] = {"routing_key": "30s.oms.timeouts", "user_id": "relay", "headers": {"published-at": at}}
    metrics.received("m4", read("timeouts", delivery(TIMER, pack(1), exchange="oms.delayed", **late)))
    metrics.received("m4", happened(100))
    for forged in ("soon", "2020-01-01T00:00:00Z"):
        metrics.received("m4", happened(100, headers={"published-at": forged}))
    assert value("oms_queue_wait_seconds_count", queue="m4") == 1
    assert 1 <= value("oms_queue_wait_seconds_sum", queue="m4") < 10


def test_the_queues_of_dead_letters_are_measured_as_one() -> None:
    names = ("oms_messages_received_total", "oms_batch_items_count")
    before = [value(name, queue="dead-letters") for name in names]  # other tests of this process have letters, too
    for queue in ("m7.dlq", "m8.dlq"):
        settled(queue, Outcome(happened(1), Kind.ACKED))
        metrics.lost(queue)
    assert [value(name, queue="dead-letters") for name in names] == [was + 2 for was in before]
    labels = {one.labels.get("queue") for family in REGISTRY.collect() for one in family.samples}
    assert not labels & {"m7.dlq", "m8.dlq"}


def test_a_queue_has_a_bounded_number_of_series() -> None:
    """Each queue has this many beside two for each type and outcome, so few queues make a process cheap to scrape."""
    metrics.prepare("m5")
    late = {"published-at": datetime.now(UTC).isoformat()}
    settled("m5", Outcome(happened(1, headers=late), Kind.ACKED))
    metrics.BATCH_SECONDS.labels("m5").observe(1)
    metrics.CONSUMERS.labels("m5").set(1)
    metrics.PAUSED.labels("m5").set(0)
    every = [one for family in REGISTRY.collect() for one in family.samples if one.labels.get("queue") == "m5"]
    assert len(every) <= 33, sorted({one.name for one in every})
