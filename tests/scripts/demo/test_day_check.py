"""The demo counts the dashboard's figures from events, and sees a dashboard that shows others."""

import json
from subprocess import CompletedProcess
from typing import Any

from scripts.amqp_client import ReceivedMessage
from scripts.demo.day_check import DayCount, compare_day, compare_stats

STEPS: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
    ("1", "placing", "awaiting_payment", {"request_id": "r1"}),
    ("1", "awaiting_payment", "paid", {}),
    ("1", "shipped", "delivered", {}),
    ("2", "placing", "awaiting_payment", {"request_id": "r2"}),
    ("2", "awaiting_payment", "cancelled", {"cancel_type": "timeout", "cause": {"type": "timer.due.v1"}}),
    ("3", "placing", "awaiting_payment", {"request_id": "r3"}),
    ("3", "awaiting_payment", "paid", {}),
    ("31", "paid", "cancelled", {"cancel_type": "merchant", "parent_id": "3"}),
    ("9", "placing", "awaiting_payment", {"request_id": "exchange-9"}),
    ("9", "awaiting_payment", "paid", {}),
)
"""(order, state before, state, other fields). Order 31 is a part of order 3, and order 9 replaces goods."""
SHOWN: dict[str, Any] = {
    "total_orders": 3,
    "paid_orders": 2,
    "cancelled_orders": 1,
    "timeout_count": 1,
    "exception_count": 2,
    "pay_success_rate": "0.6667",
    "fulfil_success_rate": "0.5000",
    "by_currency": [
        {"total_amount": {"minor": 15, "currency": "EUR"}, "average_amount": {"minor": 8, "currency": "EUR"}}
    ],
}
NOTHING: dict[str, Any] = dict.fromkeys(
    ("total_orders", "paid_orders", "cancelled_orders", "timeout_count", "exception_count"), 0
) | {"by_currency": []}


def counted() -> dict[str, Any]:
    day = DayCount()
    for order_id, before, after, more in STEPS:
        payable = 10 if order_id == "1" else 5
        body = {"order_id": order_id, "state": after, "previous": before, "parent_id": None, "cause": {"type": "x"}}
        body |= {"amounts": {"currency": "EUR", "payable": payable}} | more
        type_ = "order.created.v1" if after == "awaiting_payment" else f"order.{after}.v1"
        day.receive(ReceivedMessage(type_, body, order_id))
    for request_id, parent_id in (("r4", None), ("r4", "4"), ("exchange-5", None)):
        body = {"order_id": "5", "request_id": request_id, "parent_id": parent_id, "state": "rejected"}
        about = {"previous": "placing", "cause": {"type": "x"}}
        day.receive(ReceivedMessage("order.rejected.v1", body | about, "refused too"))
    for correlation_id in ("refused", "unreadable"):
        day.receive(ReceivedMessage("command.rejected.v1", {"code": "ORDER_NOT_FOUND"}, correlation_id))
    return day.figures({"unreadable"})


def test_a_dashboard_that_shows_what_was_counted_has_no_difference() -> None:
    found = compare_day(counted(), [SHOWN, NOTHING])
    assert (found.figures, found.differences) == (9, [])


def test_each_figure_that_differs_is_named() -> None:
    found = compare_day(counted(), [SHOWN | {"paid_orders": 3, "fulfil_success_rate": None}, NOTHING])
    assert found.differences == [
        "paid_orders: shown 3, counted 2",
        "fulfil_success_rate: shown None, counted 0.5000",
    ]


def test_a_run_that_passes_midnight_compares_what_can_be_added_up() -> None:
    """The day before has one paid order of 5, this day the rest."""
    before = NOTHING | {"total_orders": 1, "paid_orders": 1}
    before["by_currency"] = [{"total_amount": {"minor": 5, "currency": "EUR"}}]
    today = SHOWN | {"total_orders": 2, "paid_orders": 1, "pay_success_rate": "0.5000"}
    today["by_currency"] = [{"total_amount": {"minor": 10, "currency": "EUR"}}]
    found = compare_day(counted(), [today, before])
    assert (found.figures, found.differences) == (6, [])


def test_a_run_without_figures_of_one_side_is_no_run_without_differences() -> None:
    shown = CompletedProcess((), 0, json.dumps([SHOWN, NOTHING]), "")
    assert compare_stats({"day": counted()}, shown).differences == []
    assert compare_stats({}, shown).differences == ["the client has sent no last report"]
    away = CompletedProcess((), 5, "", "oms: the database does not answer\n")
    assert compare_stats({"day": counted()}, away).differences == ["oms stats: oms: the database does not answer"]
