"""The checker of histories finds each broken promise: a lost, doubled, late or changed event, a wrong sum."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.chaos.history import History, Money, Received, Sent, Units


def event(type_: str, name: str, seq: int | None = None, stream: str | None = None, **body: Any) -> Received:
    return Received(type_, name, body, stream=stream, seq=seq)


def order_event(type_: str, name: str, seq: int, state: str, order: str = "1", **body: Any) -> Received:
    return event(type_, name, seq, order, order_id=order, state=state, version=seq + 1, **body)


def sound() -> History:
    """One order is paid, cancelled and refunded; another waits for its payment; a third is rejected."""
    lines = [{"sku_id": "s1", "qty": 2}]
    created = order_event("order.created", "e1", 1, "awaiting_payment", lines=lines)
    other = order_event("order.created", "e2", 1, "awaiting_payment", order="2", lines=lines)
    rejected = order_event("order.rejected", "e3", 1, "rejected", order="3", code="STOCK_INSUFFICIENT")
    cancelled = order_event("order.cancelled", "e7", 3, "cancelled")
    events = [
        event("stock.received", "e0", sku_id="s1", qty=10),
        created,
        other,
        rejected,
        event("payment.captured", "e4", order_id="1", amount=1000),
        order_event("order.paid", "e5", 2, "paid"),
        created,  # the relay repeats it after a crash
        event("refund.requested", "e6", order_id="1", amount=1000),
        cancelled,
    ]
    sent = {
        "m1": Sent("order.create", "r1"),
        "m2": Sent("order.create", "r2"),
        "m3": Sent("order.create", "r3"),
        "m4": Sent("order.cancel", "c1"),
        "m5": Sent("order.cancel", "c1"),
    }
    answers = {"m1": created, "m2": other, "m3": rejected, "m4": cancelled, "m5": cancelled}
    replies = [Received(one.type, f"a-{about}", one.body, about=about) for about, one in answers.items()]
    replies[-1] = Received("order.cancelled", "a-m5", {**cancelled.body, "duplicate": True}, about="m5")
    return History(sent, events, replies)


def lose(name: str) -> Callable[[History], None]:
    def change(history: History) -> None:
        history.events = [one for one in history.events if one.message_id != name]

    return change


def swap(history: History) -> None:
    history.events[5], history.events[8] = history.events[8], history.events[5]


def double(history: History) -> None:
    history.events.append(Received("order.paid", "e5-again", history.events[5].body, stream="1", seq=4))


def change_body(history: History) -> None:
    history.events.append(order_event("order.paid", "e5", 2, "shipped"))


def lose_reply(history: History) -> None:
    del history.replies[3]


def second_outcome(history: History) -> None:
    history.replies.append(Received("order.rejected", "a9", {"order_id": "1"}, about="m1"))


def foreign_reply(history: History) -> None:
    history.replies.append(Received("order.created", "a9", {}, about="nothing"))


def wrong_kind(history: History) -> None:
    history.replies[0] = Received("order.cancelled", "a-m1", history.events[8].body, about="m1")


def test_a_sound_history_has_no_fault_and_its_books_are_exact() -> None:
    history = sound()
    assert history.faults() == []
    assert history.states() == {"1": ("cancelled", 4), "2": ("awaiting_payment", 2), "3": ("rejected", 2)}
    assert history.money() == {"1": Money(1000, 1000)}
    assert history.stock() == {"s1": Units(10, 2)}


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lose("e5"), "stream 1: order.cancelled has seq 3 after 1"),
        (lose("e7"), "order.cancel c1: its outcome order.cancelled is announced 0 times"),
        (lose("e3"), "order.create r3: its outcome order.rejected is announced 0 times"),
        (swap, "stream 1: order.cancelled has seq 3 after 1"),
        (double, "order.paid of order 1 came under two ids"),
        (change_body, "order.paid e5 came again with another body"),
        (lose_reply, "order.cancel m4 has no reply"),
        (second_outcome, "order.create r1 has 2 outcomes"),
        (foreign_reply, "order.created answers nothing, which was not sent"),
        (wrong_kind, "order.cancelled answers order.create"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_broken_promise_is_named(change: Callable[[History], None], fault: str) -> None:
    history = sound()
    change(history)
    assert fault in history.faults()


@pytest.mark.parametrize(
    ("lost", "money", "stock"),
    [
        ("e4", {"1": Money(0, 1000)}, {"s1": Units(10, 2)}),
        ("e6", {"1": Money(1000, 0)}, {"s1": Units(10, 2)}),
        ("e0", {"1": Money(1000, 1000)}, {"s1": Units(0, 2)}),
        ("e7", {"1": Money(1000, 1000)}, {"s1": Units(8, 2)}),
    ],
)
def test_a_lost_event_changes_the_sums(lost: str, money: dict[str, Money], stock: dict[str, Units]) -> None:
    history = sound()
    lose(lost)(history)
    assert (history.money(), history.stock()) == (money, stock)
