"""The events of an order, folded, are the order; what is missing or contradicts another is named (S1-06, INV-10)."""

from typing import Any

import pytest

from workers.domain.order_folding import AMOUNTS, AnnouncedFact, OrderFolding, differences

NAMES = ("created", "paid", "shipped")
STATES = ("awaiting_payment", "paid", "shipped")
TERMS: dict[str, Any] = dict.fromkeys(AMOUNTS, "0") | {"origin": 1000, "payable": 1000, "currency": "CNY"}


def fact(seq: int, message_id: str = "", **changes: Any) -> AnnouncedFact:
    """Event `seq` of order 7."""
    previous = ("placing", *STATES)[seq - 1]
    body = {"order_id": "7", "order_no": "n", "user_id": "u", "state": STATES[seq - 1], "previous": previous}
    about = body | {"version": seq + 1, "amounts": TERMS} | changes
    return AnnouncedFact(message_id or f"m{seq}", f"order.{NAMES[seq - 1]}.v1", seq, about)


def refund(type_: str, amount: int, message_id: str, excess: int = 0) -> AnnouncedFact:
    body = {"order_id": "7", "amount": amount, "excess_amount": excess}
    return AnnouncedFact(message_id, type_, None, body)


ROW = {
    **dict.fromkeys(AMOUNTS.values(), 0),
    "origin_amount": 1000,
    "payable_amount": 1000,
    "currency": "CNY",
    "order_no": "n",
    "user_id": "u",
    "state": "shipped",
    "version": 4,
    "deleted": False,
    "refunded_amount": 0,
}


def found(*facts: AnnouncedFact, **changes: Any) -> list[str]:
    """What differs between the events and the row."""
    folding = OrderFolding()
    for one in facts:
        folding.take(one)
    return list(differences(folding.orders[7], ROW | changes))


def test_all_events_of_an_order_are_the_order_also_if_some_come_again() -> None:
    assert found(fact(1), fact(2), fact(3)) == []
    assert found(fact(1), fact(2), fact(1), fact(3), fact(2)) == []


@pytest.mark.parametrize(
    ("facts", "changes", "difference"),
    [
        ((fact(1), fact(3)), {}, "events 2 to 2 are missing"),
        ((fact(1), fact(2), fact(2, "other"), fact(3)), {}, "event 2 comes after event 2, under another message id"),
        ((fact(1), fact(2), fact(3, previous="delivered")), {}, "event 3 leaves delivered, and event 2 led to paid"),
        ((fact(1), fact(2), fact(3, version=9)), {"version": 9}, "event 3 has version 9, not 4"),
        ((fact(1), fact(2)), {}, "state is shipped, by the events paid"),
        ((fact(1), fact(2), fact(3)), {"payable_amount": 999}, "payable_amount is 999, by the events 1000"),
        ((fact(1), fact(2), fact(3)), {"refunded_amount": 5}, "refunded_amount is 5, by the events 0"),
        ((fact(1), fact(2), fact(3)), {"deleted": True}, "deleted is True, by the events False"),
    ],
)
def test_a_difference_is_named(facts: tuple[AnnouncedFact, ...], changes: dict[str, Any], difference: str) -> None:
    assert difference in found(*facts, **changes)


def test_refunds_add_up_without_what_a_provider_gave_too_much_and_what_came_back() -> None:
    refunds = (
        refund("refund.succeeded.v1", 300, "r1", excess=100),
        refund("refund.succeeded.v1", 300, "r1", excess=100),
        refund("refund.succeeded.v1", 50, "r2"),
        refund("refund.returned.v1", 50, "r3"),
    )
    assert found(fact(1), fact(2), fact(3), *refunds, refunded_amount=200) == []


def test_a_history_that_begins_later_is_compared_in_what_it_can_know() -> None:
    assert found(fact(2), fact(3), deleted=True, refunded_amount=70) == []


def test_an_order_that_the_database_does_not_have_is_named() -> None:
    folding = OrderFolding()
    folding.take(fact(1))
    assert differences(folding.orders[7], None) == ("the order is not in the database",)
