"""The trace of a message goes on with whatever follows from it, also in packs, retries and dead letters."""

from typing import Any

import orjson
import pytest

from messages.trace_context import trace_headers, trace_id
from outbox import Announcement
from outbox.packing import rows
from tests.runtime.builders import DELETE, PAYMENT, TIMER, delivery, payment, read
from workers.runtime.batch import Verdict
from workers.runtime.decode import Work
from workers.runtime.errors import Failure
from workers.runtime.policy import fail
from workers.runtime.republish import aside_headers, dead_headers, explode_pack, properties, retry_headers, take_out
from workers.services import dead_letters

TRACE = "0af7651916cd43dd8448eb211c80319c"
TRACED = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01", "tracestate": "shop=buy,other=1"}
OTHER = {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"}
FAILED = Failure.of_verdict(Verdict("failed", "why", retry=False), b"{}")


@pytest.mark.parametrize(
    ("parent", "state", "goes_on"),
    [
        (TRACED["traceparent"], TRACED["tracestate"], TRACED),
        (TRACED["traceparent"], None, {"traceparent": TRACED["traceparent"]}),
        (TRACED["traceparent"], "a=" + "x" * 510, TRACED | {"tracestate": "a=" + "x" * 510}),
        (TRACED["traceparent"], "a=" + "x" * 511, {"traceparent": TRACED["traceparent"]}),
        (TRACED["traceparent"], "a=\n", {"traceparent": TRACED["traceparent"]}),
        (TRACED["traceparent"].upper(), "a=1", {}),
        (f"ff{TRACED['traceparent'][2:]}", None, {}),
        (f"00-{'0' * 32}-b7ad6b7169203331-01", None, {}),
        (f"00-{TRACE}-{'0' * 16}-01", None, {}),
        (f"{TRACED['traceparent']}-x", None, {}),
        (None, "a=1", {}),
    ],
)
def test_a_trace_goes_on_only_if_it_is_well_formed(parent: str | None, state: str | None, goes_on: Any) -> None:
    assert trace_headers(parent, state) == goes_on
    assert trace_id(parent) == (TRACE if goes_on else None)


def internal(key: int, headers: dict[str, str]) -> Announcement:
    body = orjson.dumps({"kind": "saga", "key": str(key), "due_at": "2026-01-01T00:00:00Z"})
    return Announcement(TIMER, body, "internal", "timer.due", "flow", packable=True, headers=headers)


def delivered(row: Any) -> Work:
    one = delivery(TIMER, row.body, exchange="oms.internal", user_id="relay", headers=orjson.loads(row.headers))
    return read("timeouts", one)


def test_each_item_of_a_pack_keeps_the_trace_that_it_came_with() -> None:
    (row,) = rows([internal(1, TRACED), internal(2, OTHER), internal(3, {})])
    assert "traceparent" not in orjson.loads(row.headers)
    work = delivered(row)
    assert [item.trace for item in work.envelopes] == [TRACED, OTHER, {}]
    apart = [delivered(one) for one in rows(explode_pack("timeouts", work, aside=False))]
    assert [item.trace for one in apart for item in one.envelopes] == [TRACED, OTHER, {}]
    left = take_out("timeouts", 1, fail(work, FAILED, 7))
    assert left.headers["traceparent"] == OTHER["traceparent"]
    (alone,) = rows([internal(1, TRACED)])
    assert orjson.loads(alone.headers) | TRACED == orjson.loads(alone.headers), "its publish belongs to its trace"


def test_a_message_that_is_sent_on_stays_in_its_trace() -> None:
    work = read("payment-results", delivery(PAYMENT, payment(), headers={**TRACED, "x-death": "no"}))
    for headers in (retry_headers(work), aside_headers(work), dead_headers(work, FAILED)):
        about = properties(work, "worker", headers).headers or {}
        assert {name: about[name] for name in TRACED} == TRACED
    bad = read("order-changes", delivery(DELETE, b"no JSON", headers={**TRACED, "traceparent": "t" * 130_000}))
    assert "traceparent" not in (properties(bad, "worker", {}).headers or {})


def test_a_replay_stays_in_the_trace_of_its_letter() -> None:
    stored = {"headers": {**TRACED, "causation-id": "cause", "cc": "no"}, "reply_to": None}
    assert dead_letters._carried(stored) == {**TRACED, "causation-id": "cause"}
    assert dead_letters._carried(stored | {"headers": {"traceparent": 7}}) == {}
