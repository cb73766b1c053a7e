"""What becomes of a message in a cell that it does not belong to."""

from typing import Any

from messages.cells import Cell, parse_cells
from tests.runtime.builders import DELETE, delete, delivery, read
from workers.runtime.decode import Work
from workers.runtime.policy import Kind, fail, reject_query
from workers.runtime.process import ID_REUSE
from workers.runtime.republish import dead_headers, handed_headers

CELL = Cell("a", parse_cells("a:0-31,b:32-63"))
IN_A, IN_B = 5 << 16, 40 << 16


def deleting(*order_ids: int, **about: Any) -> Work:
    """An order.delete of these orders, decoded by the cell a."""
    body = delete(order_ids=[str(key) for key in order_ids])
    return read("order-changes", delivery(DELETE, body, **about), cell=CELL)


def test_a_message_is_handed_on_once_and_then_a_dead_letter() -> None:
    assert deleting(IN_A).failure is None
    work = deleting(IN_B, user_id="upstream")
    assert work.failure is not None
    for outcome in (fail(work, work.failure, 7), reject_query(work, work.failure)):
        assert (outcome.kind, outcome.failure and outcome.failure.cell) == (Kind.HANDED_ON, "b")
    headers = handed_headers(work)
    assert (headers["handed-on"], headers["origin-user"], headers["attempt"]) == ("1", "upstream", "0")
    back = deleting(IN_B, user_id="relay", exchange="", headers=headers)
    assert back.failure is not None
    assert (back.failure.reason, back.user) == ("wrong_cell", "upstream")
    assert fail(back, back.failure, 7).kind is Kind.INVALID, "the two cells have different settings"
    assert reject_query(back, back.failure).kind is Kind.REFUSED
    assert "original-exchange" not in dead_headers(back, back.failure), "a replay may still lead to its outcome"
    reused = dead_headers(deleting(IN_A, user_id="relay", exchange="", headers=headers), ID_REUSE)
    assert (reused["original-exchange"], reused["original-routing-key"]) == ("oms.commands", "order.delete")
    forged = deleting(IN_B, user_id="upstream", headers=headers)
    assert forged.failure is not None
    assert fail(forged, forged.failure, 7).kind is Kind.HANDED_ON, "only our own users' header is believed"


def test_a_replay_that_is_handed_on_names_no_letter_of_the_other_cell() -> None:
    """Else that cell would open its own letter of this id again, and keep nothing of the message when it dies."""
    replay = deleting(IN_B, user_id="relay", exchange="", headers={"origin-user": "upstream", "replay-of": "17"})
    assert replay.failure is not None
    assert dead_headers(replay, replay.failure)["replay-of"] == "17"
    assert [item.replayed for item in replay.envelopes] == [True]
    assert "replay-of" not in handed_headers(replay)


def test_what_is_in_two_cells_is_refused_and_without_cells_nothing_is_looked_at() -> None:
    work = deleting(IN_A, IN_B)
    assert work.failure is not None
    assert (work.failure.reason, fail(work, work.failure, 7).kind) == ("wrong_cell", Kind.INVALID)
    assert read("order-changes", delivery(DELETE, delete(order_ids=[str(IN_A), str(IN_B)]))).failure is None
