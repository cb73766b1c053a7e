"""Goods that come back: parcels of cases, parcels that come back without one, and units that count once (S1-22)."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from messages.after_sales import AfterSaleDue
from messages.base import Command, Message
from messages.order_queries import OrderTrack, OrderTracked
from messages.shipments import ShipmentUpdate
from tests.handlers.builders import OPERATOR, book, create, update, user
from tests.handlers.case_builders import (
    apply,
    arrive,
    close,
    end_refund,
    inspect,
    last,
    open_case,
    reopen,
    review,
    ship_back,
    steps,
)
from tests.handlers.harness import HandlerHarness
from tests.handlers.querying import ask

NOW = datetime.now(UTC)
PARCELS = "SELECT tracking_no, state, case_id IS NOT NULL FROM shipments ORDER BY id"


def codes(harness: HandlerHarness) -> list[str]:
    return [alert["code"] for alert in harness.events_of("alert.raised")]


def lost(case: dict[str, Any], qty: int = 2) -> Message:
    return inspect(case, (1, qty, "lost")).model_copy(update={"actor": OPERATOR})


def later(order_id: int, status: str, days: int = 3) -> ShipmentUpdate:
    """What the carrier reports of the order's own parcel, so many days after its delivery."""
    at = NOW + timedelta(days=days)
    return update(order_id, "T1", status, f"{status}-{days}").model_copy(update={"occurred_at": at})


async def delivered(harness: HandlerHarness, qty: int = 2) -> int:
    """A delivered order of two units in the parcel T1; 8 of 10 are left."""
    await harness.fill_stock(qty=10)
    order_id = await harness.place_shipped_order([("s1", qty)], lines=[("s1", qty)])
    await harness.handle(later(order_id, "delivered", 0))
    harness.events.clear()
    return order_id


async def on_its_way(harness: HandlerHarness) -> tuple[int, dict[str, Any]]:
    """A case whose goods were sent back in the parcel B1."""
    order_id = await delivered(harness)
    case = await open_case(harness, apply(order_id, type="return_refund"))
    await harness.handle(review(case), ship_back(case), trusted=True)
    assert last(harness)["state"] == "return_in_transit"
    return order_id, case


async def test_the_parcel_of_a_case_brings_its_goods_and_ships_nothing(harness: HandlerHarness) -> None:
    order_id, case = await on_its_way(harness)
    assert await harness.rows(PARCELS) == [("T1", "delivered", False), ("B1", "booked", True)]
    await harness.handle(update(order_id, "B1", "in_transit"), update(order_id, "B1", "in_transit"))
    assert (steps(harness)[-1], last(harness)["cause"]["actor"]["id"]) == ("return_shipped", "u1")
    await harness.handle(update(order_id, "B1", "delivered"), update(order_id, "B1", "picked_up"))
    assert steps(harness)[-2:] == ["return_shipped", "return_received"]
    moved = [(one["status"], one["case_id"]) for one in harness.events_of("shipment.updated")]
    assert moved == [("in_transit", case["case_id"]), ("delivered", case["case_id"])]
    assert (await harness.states(), codes(harness)) == (["delivered"], [])
    await harness.handle(inspect(case, (1, 2, "restock")), trusted=True)
    await end_refund(harness)
    assert (await harness.states(), await harness.stock()) == (["cancelled"], (10, 0))


async def test_the_parcel_of_a_case_is_shown_as_a_return(harness: HandlerHarness) -> None:
    order_id, case = await on_its_way(harness)
    await harness.handle(update(order_id, "B1", "in_transit"))
    [shown] = await ask(harness, OrderTrack(actor=user(), order=str(order_id)))
    assert isinstance(shown, OrderTracked)
    found = [(parcel.tracking_no, parcel.state, str(parcel.case_id or "")) for parcel in shown.parcels]
    assert found == [("T1", "delivered", ""), ("B1", "in_transit", case["case_id"])]


async def test_goods_on_their_way_back_leave_the_rest_of_the_order_to_ship(harness: HandlerHarness) -> None:
    await harness.fill_stock(qty=10)
    order_id = await harness.place_paid_order(("s1", 2))
    await harness.handle(book(order_id, "T1", ("s1", 1)), update(order_id, "T1", "delivered"))
    case = await open_case(harness, apply(order_id, type="return_refund"))
    await harness.handle(review(case), ship_back(case), trusted=True)
    await harness.handle(update(order_id, "B1", "in_transit"))
    assert await harness.states() == ["paid"]
    await harness.handle(book(order_id, "T2", ("s1", 1)), update(order_id, "T2", "outbound"))
    assert await harness.states() == ["shipped"]


async def test_what_a_warehouse_has_received_before_its_carrier_says_so_is_received_once(
    harness: HandlerHarness,
) -> None:
    order_id, case = await on_its_way(harness)
    await harness.handle(arrive(case))
    await harness.handle(update(order_id, "B1", "delivered"), update(order_id, "B1", "lost"))
    assert steps(harness).count("return_received") == 1
    await harness.handle(inspect(case, (1, 2, "restock")), trusted=True)
    assert last(harness)["state"] == "refunding"


@pytest.mark.parametrize("status", ["refused", "undeliverable", "lost", "returning", "returned", "loss_confirmed"])
async def test_goods_that_never_arrive_leave_the_case_to_an_operator(harness: HandlerHarness, status: str) -> None:
    order_id, case = await on_its_way(harness)
    await harness.handle(update(order_id, "B1", status))
    assert (codes(harness), last(harness)["state"]) == (["LOGISTICS_RETURN_FAILED"], "return_in_transit")
    assert (await harness.states(), harness.events_of("refund.requested")) == (["delivered"], [])
    assert await harness.stock() == (8, 0)
    await harness.handle(close(case), trusted=True)
    assert last(harness)["state"] == "closed"
    harness.events.clear()
    await harness.handle(update(order_id, "B1", "delivered").model_copy(update={"occurred_at": NOW + timedelta(1)}))
    assert codes(harness) == ["AFTERSALE_GOODS_UNEXPECTED"]


async def test_an_operator_writes_goods_off_that_were_lost_on_their_way_back(harness: HandlerHarness) -> None:
    _, case = await on_its_way(harness)
    await harness.handle(inspect(case, (1, 2, "lost")), trusted=True)
    await harness.handle(lost(case, 1), trusted=True)
    await harness.handle(inspect(case, (1, 2, "restock")).model_copy(update={"actor": OPERATOR}), trusted=True)
    assert [code for code, _ in harness.rejections()] == ["AFTERSALE_STATE_INVALID"] * 3
    await harness.handle(lost(case), trusted=True)
    assert last(harness)["state"] == "refunding"
    assert [event["amount"] for event in harness.events_of("refund.requested")] == [1000]
    assert await harness.stock() == (8, 0)
    assert await harness.rows("SELECT op, qty FROM stock_ledger WHERE ref LIKE 'case:%'") == [("write_off", 2)]


async def test_a_number_that_a_parcel_has_is_refused_until_that_has_ended(harness: HandlerHarness) -> None:
    order_id, _ = await on_its_way(harness)
    other = await harness.create_order(create(("s1", 2), request_id="r2"))
    await harness.pay(other)
    await harness.handle(book(other, "B1", ("s1", 2)))
    [refused] = harness.events_of("shipment.booking_failed")
    assert refused["code"] == "LOGISTICS_NUMBER_IN_USE"
    await harness.deliver(other)
    second = await open_case(harness, apply(other, type="return_refund"))
    await harness.handle(review(second), ship_back(second), trusted=True)
    assert [code for code, _ in harness.rejections()] == ["LOGISTICS_NUMBER_IN_USE"]
    await harness.handle(update(order_id, "B1", "delivered"))
    await harness.handle(ship_back(second))
    assert last(harness)["state"] == "return_in_transit"


async def test_two_cases_of_one_batch_do_not_share_a_number(harness: HandlerHarness) -> None:
    order_id = await delivered(harness)
    opened = [await open_case(harness, apply(order_id, (1, 1), type="return_refund")) for _ in range(2)]
    await harness.handle(*(review(case) for case in opened), trusted=True)
    await harness.handle(*(ship_back(case) for case in opened))
    assert [code for code, _ in harness.rejections()] == ["LOGISTICS_NUMBER_IN_USE"]


async def test_a_parcel_that_comes_back_without_a_case_opens_one(harness: HandlerHarness) -> None:
    order_id = await delivered(harness)
    await harness.handle(later(order_id, "returning"), later(order_id, "returning"))
    [case] = harness.events_of("after_sale.requested")
    assert (case["source"], case["lines"][0]["qty"]) == ("fulfilment", 2)
    assert await harness.rows("SELECT merchant_fault FROM after_sales") == [(False,)]
    await harness.handle(apply(order_id, (1, 1)))
    assert [code for code, _ in harness.rejections()] == ["AFTERSALE_QTY_EXCEEDS"]
    await harness.handle(review(case), trusted=True)
    assert (last(harness)["state"], last(harness)["tracking_no"]) == ("return_in_transit", "T1")
    await harness.handle(later(order_id, "returned", 5))
    assert (last(harness)["state"], len(harness.events_of("after_sale.requested"))) == ("received", 1)
    await harness.handle(inspect(case, (1, 2, "restock")), trusted=True)
    assert ([e["amount"] for e in harness.events_of("refund.requested")], await harness.stock()) == ([1000], (10, 0))


async def test_goods_at_the_warehouse_are_inspected_after_the_approval(harness: HandlerHarness) -> None:
    order_id = await delivered(harness)
    await harness.handle(later(order_id, "returned"))
    [case] = harness.events_of("after_sale.requested")
    await harness.handle(review(case), trusted=True)
    assert (steps(harness), last(harness)["state"]) == (["requested", "approved", "return_received"], "received")


async def test_goods_that_arrive_while_their_case_is_reviewed_wait_for_its_approval(harness: HandlerHarness) -> None:
    order_id = await delivered(harness)
    await harness.handle(later(order_id, "returning"))
    [case] = harness.events_of("after_sale.requested")
    await harness.handle(review(case, "reject"), reopen(case), trusted=True)
    await harness.handle(later(order_id, "returned", 4))
    assert await harness.states() == ["delivered"]
    await harness.handle(review(case), trusted=True)
    assert last(harness)["state"] == "received"


@pytest.mark.parametrize("approved", [False, True])
async def test_the_case_that_covers_the_units_moves_instead(harness: HandlerHarness, approved: bool) -> None:
    order_id = await delivered(harness)
    case = await open_case(harness, apply(order_id, type="return_refund"))
    if approved:
        await harness.handle(review(case), trusted=True)
    await harness.handle(later(order_id, "returning"))
    if not approved:
        await harness.handle(review(case), trusted=True)
    assert last(harness)["state"] == "return_in_transit"
    await harness.handle(later(order_id, "returned", 4))
    assert last(harness)["state"] == "received"
    assert len(harness.events_of("after_sale.requested")) == 1


async def test_a_case_about_other_lines_does_not_follow_a_parcel(harness: HandlerHarness) -> None:
    await harness.fill_stock(qty=10)
    order_id = await harness.place_shipped_order([("s1", 1)], [("s2", 1)], lines=[("s1", 1), ("s2", 1)])
    await harness.handle(later(order_id, "delivered", 0), update(order_id, "T2", "delivered"))
    case = await open_case(harness, apply(order_id, (2, 1), type="return_refund"))
    await harness.handle(review(case), trusted=True)
    await harness.handle(later(order_id, "returned"))
    assert await harness.rows("SELECT source, state FROM after_sales ORDER BY id") == [
        ("user", "awaiting_return"),
        ("fulfilment", "requested"),
    ]


async def test_a_line_that_went_back_is_not_in_the_case_that_its_parcel_opens(harness: HandlerHarness) -> None:
    await harness.fill_stock(qty=10)
    order_id = await harness.place_shipped_order([("s1", 1), ("s2", 1)], lines=[("s1", 1), ("s2", 1)])
    await harness.handle(later(order_id, "delivered", 0))
    await harness.handle(review(await open_case(harness, apply(order_id, (1, 1)))), trusted=True)
    await harness.handle(later(order_id, "returned"))
    assert [(line["line_no"], line["qty"]) for line in last(harness)["lines"]] == [(2, 1)]


async def test_a_timer_of_a_case_that_wakes_too_early_does_nothing(harness: HandlerHarness) -> None:
    order_id = await delivered(harness)
    case = await open_case(harness, apply(order_id, type="return_refund"))
    for _ in range(2):
        await harness.handle(AfterSaleDue(case_id=int(case["case_id"])))
        assert last(harness)["state"] in {"requested", "awaiting_return"}
        await harness.handle(review(case), trusted=True)
    assert steps(harness) == ["requested", "approved", "return_awaited"]


async def test_a_parcel_that_comes_back_is_not_that_of_a_rejected_case(harness: HandlerHarness) -> None:
    order_id = await delivered(harness)
    case = await open_case(harness, apply(order_id, type="return_refund"))
    await harness.handle(review(case, "reject"), trusted=True)
    await harness.handle(later(order_id, "returned"))
    assert [event["source"] for event in harness.events_of("after_sale.requested")] == ["user", "fulfilment"]
    assert harness.events_of("send_back.requested") == []


async def test_a_parcel_with_a_part_of_a_line_opens_a_case_about_that_part(harness: HandlerHarness) -> None:
    await harness.fill_stock(qty=20)
    order_id = await harness.place_paid_order(("s1", 5))
    await harness.handle(book(order_id, "T1", ("s1", 2)), book(order_id, "T2", ("s1", 3)))
    for status in ("outbound", "delivered"):
        await harness.handle(*(update(order_id, number, status) for number in ("T1", "T2")))
    await harness.handle(later(order_id, "returned"))
    [case] = harness.events_of("after_sale.requested")
    assert [line["qty"] for line in case["lines"]] == [2]


async def test_only_units_without_a_case_are_in_the_one_that_is_opened(harness: HandlerHarness) -> None:
    order_id = await delivered(harness)
    first = await open_case(harness, apply(order_id, (1, 1)))
    await harness.handle(review(first), trusted=True)
    await end_refund(harness)
    await harness.handle(later(order_id, "returned"))
    assert [line["qty"] for line in harness.events_of("after_sale.requested")[-1]["lines"]] == [1]
    await harness.handle(later(order_id, "loss_confirmed", 9))
    assert len(harness.events_of("after_sale.requested")) == 2


@pytest.mark.parametrize("status", ["lost", "loss_confirmed"])
async def test_a_parcel_that_is_lost_after_delivery_brings_nothing_back(harness: HandlerHarness, status: str) -> None:
    order_id = await delivered(harness)
    await harness.handle(later(order_id, status))
    assert (steps(harness), codes(harness)) == ([], ["LOGISTICS_AFTER_DELIVERY"])


async def shipped(harness: HandlerHarness) -> int:
    await harness.fill_stock(qty=10)
    order_id = await harness.place_shipped_order([("s1", 2)], lines=[("s1", 2)])
    harness.events.clear()
    return order_id


@pytest.mark.parametrize("status", ["refused", "undeliverable", "lost"])
async def test_units_of_a_failed_parcel_are_in_no_case(harness: HandlerHarness, status: str) -> None:
    order_id = await shipped(harness)
    await harness.handle(later(order_id, status, -1))
    await harness.handle(apply(order_id, type="return_refund"), apply(order_id))
    assert [code for code, _ in harness.rejections()] == ["ORDER_STATE_INVALID"] * 2
    assert [event["amount"] for event in harness.events_of("refund.requested")] == [1000]


@pytest.mark.parametrize(
    ("kind", "approved", "ends"),
    [("refund_only", False, "rejected"), ("return_refund", False, "rejected"), ("return_refund", True, "closed")],
)
async def test_a_case_ends_when_its_parcel_fails(harness: HandlerHarness, kind: str, approved: bool, ends: str) -> None:
    order_id = await shipped(harness)
    case = await open_case(harness, apply(order_id, type=kind))
    if approved:
        await harness.handle(review(case), trusted=True)
    await harness.handle(later(order_id, "refused", -1))
    assert (last(harness)["state"], last(harness)["reason_code"]) == (ends, "delivery_failed")
    assert [event["amount"] for event in harness.events_of("refund.requested")] == [1000]
    if ends == "rejected":
        await harness.handle(reopen(case))
        assert [code for code, _ in harness.rejections()] == ["ORDER_STATE_INVALID"]
    await harness.handle(later(order_id, "returned", 1))
    assert (await harness.states(), await harness.stock()) == (["cancelled"], (10, 0))


async def test_a_case_that_was_paid_before_its_parcel_failed_is_not_paid_twice(harness: HandlerHarness) -> None:
    order_id = await shipped(harness)
    case = await open_case(harness, apply(order_id, (1, 1)))
    await harness.handle(review(case), trusted=True)
    await harness.handle(later(order_id, "refused", -1))
    assert [event["amount"] for event in harness.events_of("refund.requested")] == [500, 500]
    assert last(harness)["state"] == "refunding"


async def test_a_rejected_case_is_not_reopened_for_units_of_another(harness: HandlerHarness) -> None:
    order_id = await delivered(harness)
    first = await open_case(harness, apply(order_id))
    await harness.handle(review(first, "reject"), trusted=True)
    await open_case(harness, apply(order_id))
    commands: list[Command] = [reopen(first)]
    await harness.handle(*commands)
    assert [code for code, _ in harness.rejections()] == ["AFTERSALE_QTY_EXCEEDS"]
