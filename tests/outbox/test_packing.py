"""Packing decides which announcements share a message, and builds that message."""

from dataclasses import replace
from datetime import UTC, datetime

import orjson
import pytest

from messages.envelope import Envelope
from messages.orders import OrderCreate
from messages.registry import MODELS
from messages.stock import StockCommit, StockRelease
from messages.timers import TimerDue
from outbox import Announcement, internal, later, reply
from outbox.packing import PACK_MAX_BYTES, PACK_MAX_ITEMS, rows, shard_of
from tests.outbox.harness import event

NOW = datetime(2026, 5, 4, 3, 2, 1, 7, tzinfo=UTC)


def commit(holder: int) -> Announcement:
    return internal(StockCommit(holder_id=holder))


TRACED = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def cause(**more: object) -> Envelope[TimerDue]:
    body = TimerDue(kind="saga", key=1, due_at=NOW)
    return Envelope(body=body, message_id="parent", correlation_id="flow", occurred_at=NOW, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("items", "expected"),
    [(0, []), (1, [1]), (2, [2]), (PACK_MAX_ITEMS, [PACK_MAX_ITEMS]), (PACK_MAX_ITEMS + 1, [PACK_MAX_ITEMS, 1])],
)
def test_packable_neighbours_share_a_message_up_to_the_item_limit(items: int, expected: list[int]) -> None:
    made = rows([commit(holder + 1) for holder in range(items)])
    assert [len(orjson.loads(row.body)["items"]) for row in made] == expected


def test_a_packed_body_stays_within_the_byte_limit() -> None:
    big = [replace(commit(holder), body=b'"%b"' % (b"x" * 100_000)) for holder in range(1, 6)]
    made = rows(big)
    assert all(len(row.body) <= PACK_MAX_BYTES for row in made)
    assert [len(orjson.loads(row.body)["items"]) for row in made] == [2, 2, 1]


def test_an_item_larger_than_the_byte_limit_goes_alone() -> None:
    huge = replace(commit(2), body=b'"%b"' % (b"x" * (PACK_MAX_BYTES + 1)))
    made = rows([commit(1), huge, commit(3)])
    assert next(orjson.loads(row.body)["items"][0]["body"] for row in made) == {"holder_id": "1"}
    assert sum(len(orjson.loads(row.body)["items"]) for row in made) == 3
    assert len(orjson.loads(made[1].body)["items"]) == 1


def test_interleaved_orders_still_pack_and_events_keep_their_place() -> None:
    batch = [one for order in (1, 2, 3) for one in (event(order, 1), commit(order))]
    made = rows(batch)
    assert [row.type for row in made] == ["order.paid.v1", "stock.commit.v1", "order.paid.v1", "order.paid.v1"]
    assert [item["body"] for item in orjson.loads(made[1].body)["items"]] == [{"holder_id": str(n)} for n in (1, 2, 3)]


@pytest.mark.parametrize(
    "other",
    [
        internal(StockRelease(holder_id=2)),
        later(TimerDue(kind="saga", key=1, due_at=NOW), seconds=5, queue="timeouts"),
        replace(commit(2), headers={"attempt": "1"}),
        replace(commit(2), routing_key="elsewhere"),
        replace(commit(2), message_id="brought-along"),
        replace(commit(2), sensitive=True),
    ],
    ids=["type", "destination", "headers", "routing key", "own message id", "sensitive"],
)
def test_announcements_that_differ_in_more_than_the_body_are_not_packed_together(other: Announcement) -> None:
    assert len(rows([commit(1), other])) == 2


def test_an_item_keeps_its_own_correlation_causation_and_time() -> None:
    first = internal(StockCommit(holder_id=1), because=cause(index=3, packed=True))
    second = replace(commit(2), correlation_id="other", causation_id=None, occurred_at=NOW)
    (row,) = rows([first, second], NOW)
    assert orjson.loads(row.body)["items"] == [
        {
            "correlation_id": "flow",
            "causation_id": "parent/3",
            "occurred_at": "2026-05-04T03:02:01.000007+00:00",
            "body": {"holder_id": "1"},
        },
        {
            "correlation_id": "other",
            "causation_id": None,
            "occurred_at": "2026-05-04T03:02:01.000007+00:00",
            "body": {"holder_id": "2"},
        },
    ]
    assert row.correlation_id == row.message_id
    assert "causation-id" not in orjson.loads(row.headers)


def test_a_message_with_one_item_keeps_the_correlation_of_that_item() -> None:
    (row,) = rows([internal(StockCommit(holder_id=1), because=cause())])
    assert row.correlation_id == "flow"
    assert orjson.loads(row.headers)["causation-id"] == "parent"


def test_events_of_an_order_share_a_shard_and_other_rows_stand_alone() -> None:
    made = rows([event(7, 1), event(7, 2), commit(7)])
    assert [row.stream for row in made[:2]] == ["7", "7"]
    assert {row.shard for row in made[:2]} == {shard_of("7")}
    assert made[2].stream == made[2].message_id


def test_the_shard_of_a_stream_never_changes() -> None:
    assert [shard_of(stream) for stream in ("1", "42", "9007199254740993")] == [55, 8, 55]


def test_an_event_carries_its_stream_time_and_trace() -> None:
    one = event(7, 3, occurred_at=NOW, causation_id="parent", headers={"traceparent": TRACED})
    (row,) = rows([one])
    assert orjson.loads(row.headers) == {
        "traceparent": TRACED,
        "occurred-at": "2026-05-04T03:02:01.000007+00:00",
        "causation-id": "parent",
        "stream": "7",
    }
    assert (row.numbered, row.about) == (True, None)


def test_fresh_message_ids_differ_and_a_given_one_is_kept() -> None:
    made = rows([event(7, 1), event(7, 2), replace(event(7, 3), message_id="mine")])
    assert len({row.message_id for row in made}) == 3
    assert made[2].message_id == "mine"


def test_a_reply_goes_to_the_sender_and_may_be_unroutable() -> None:
    one = reply("command.rejected.v1", b"{}", to="client.7", correlation_id="flow", because=cause(traceparent=TRACED))
    assert (one.destination, one.routing_key, one.must_route) == ("reply", "client.7", False)
    assert (one.causation_id, one.headers) == ("parent", {"traceparent": TRACED})


def test_only_types_that_are_marked_are_packable() -> None:
    assert not OrderCreate.PACKABLE
    assert {name for name, model in MODELS.items() if model.PACKABLE} == {
        "group.paid.v1",
        "group.due.v1",
        "stock.reserve.v1",
        "stock.commit.v1",
        "stock.release.v1",
        "stock.restock.v1",
        "stock.reserved.v1",
        "stock.refused.v1",
        "timer.due.v1",
        "fulfilment.review.v1",
        "order_cancellation.due.v1",
    }
