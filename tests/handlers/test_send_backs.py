"""Goods of cases that go back to the buyer: refused ones, and those of a case that ended after they had arrived."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from messages.explanations import OrderExplain, OrderExplained
from messages.fulfilments import FulfilmentGet, FulfilmentSendBack
from messages.order_history import OrderHistoryListed
from messages.order_queries import OrderHistory, OrderTrack, OrderTracked
from messages.orders import CreateLine
from messages.roles import Role
from messages.stock import StockReceive
from messages.subjects import SubjectErase
from tests.handlers.builders import ADDRESS, OPERATOR, book, create, receive, update, user
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
    revoke,
    send_back,
    ship_back,
)
from tests.handlers.harness import HandlerHarness
from tests.handlers.querying import ask
from workers import shop
from workers.domain.shop import Policy, Shop

WAREHOUSES = Shop(policy=Policy(rate_limit_orders=0), fulfilment_warehouses={"main": frozenset({"wms-main"})})
ROLES = frozenset({Role.WAREHOUSE})
TIMERS = "SELECT count(*), bool_and(due_at > now() + interval '47 h') FROM timers WHERE kind = 'after_sale'"
"""How many cases wait, and whether each still has its two days."""


@pytest.fixture
def queues(harness: HandlerHarness) -> Iterator[HandlerHarness]:
    """The warehouse `main` has a queue; `east` has none."""
    shop.configure(replace(WAREHOUSES, fulfilment_warehouses={"main": frozenset()}))
    yield harness
    shop.configure(Shop())


async def at_warehouse(harness: HandlerHarness, qty: int = 2, type: str = "return_refund") -> dict[str, Any]:
    """A case of a delivered order whose goods have come back in the parcel B1."""
    await harness.fill_stock(qty=10)
    order_id = await harness.place_paid_order(("s1", qty))
    await harness.deliver(order_id)
    case = await open_case(harness, apply(order_id, type=type))
    await harness.handle(review(case), ship_back(case), trusted=True)
    await harness.handle(update(order_id, "B1", "delivered"))
    assert last(harness)["state"] == "received"
    return case


async def wanted(harness: HandlerHarness) -> list[tuple[str, int, int]]:
    """(warehouse, units, units that have left) of all that goes back."""
    return await harness.rows(
        "SELECT warehouse, qty, CASE WHEN sent_at IS NULL THEN 0 ELSE qty END FROM after_sale_send_backs ORDER BY 1"
    )


async def awaited(harness: HandlerHarness, order_id: int) -> list[tuple[str, str | None]]:
    return [(what, name) for what, name, _ in await overdue_at(harness, order_id)]


async def overdue_at(harness: HandlerHarness, order_id: int) -> list[tuple[str, str | None, datetime | None]]:
    """(what, name, until when) of all that the order awaits from warehouses."""
    [reply] = await ask(harness, OrderExplain(actor=OPERATOR, order=str(order_id)))
    assert isinstance(reply, OrderExplained)
    return [(one.what, one.name, one.until) for one in reply.awaits if one.whom == "warehouse"]


async def test_refused_goods_go_back_to_the_buyer_in_a_parcel_of_their_case(queues: HandlerHarness) -> None:
    case = await at_warehouse(queues)
    order_id = int(case["order_id"])
    await queues.handle(inspect(case, (1, 1, "restock"), (1, 1, "send_back")))
    [requested] = queues.events_of("send_back.requested")
    assert (requested["warehouse"], requested["lines"]) == ("main", [{"line_no": 1, "sku_id": "s1", "qty": 1}])
    instruction = queues.instructions[-1]
    assert isinstance(instruction, FulfilmentSendBack)
    assert (instruction.case_id, instruction.address) == (int(case["case_id"]), ADDRESS)
    assert "Nanjing" not in str(queues.events)
    assert await awaited(queues, order_id) == [("case_send_back", "main")]
    await end_refund(queues)
    await queues.handle(send_back(case), send_back(case, "main", "R2"), roles=ROLES)
    [shipped] = queues.events_of("send_back.shipped")
    assert (shipped["tracking_no"], shipped["lines"]) == ("R1", requested["lines"])
    assert [code for code, _ in queues.rejections()] == ["AFTERSALE_STATE_INVALID"]
    assert await awaited(queues, order_id) == []
    await queues.handle(update(order_id, "R1", "in_transit"), update(order_id, "R1", "delivered"))
    [shown] = await ask(queues, OrderTrack(actor=user(), order=str(order_id)))
    assert isinstance(shown, OrderTracked)
    parcels = [
        (parcel.tracking_no, parcel.state, parcel.case_id is not None, parcel.to_buyer) for parcel in shown.parcels
    ]
    assert parcels[1:] == [("B1", "delivered", True, False), ("R1", "delivered", True, True)]
    assert await queues.rows("SELECT warehouse FROM shipments WHERE to_buyer") == [("main",)]
    moved = [event["to_buyer"] for event in queues.events_of("shipment.updated") if event["tracking_no"] == "R1"]
    assert moved == [True, True]
    assert last(queues)["state"] == "completed"
    assert (await queues.states(), queues.events_of("alert.raised")) == (["delivered"], [])
    [history] = await ask(queues, OrderHistory(actor=user(), order=str(order_id)))
    assert isinstance(history, OrderHistoryListed)
    steps = [one.trigger for one in history.steps if one.case_id is not None]
    assert [step for step in steps if "back" in step] == ["shipped_back", "send_back_requested", "sent_back"]


@pytest.mark.parametrize("how", ["closed", "rejected"])
async def test_goods_of_a_case_that_ends_without_them_go_back(queues: HandlerHarness, how: str) -> None:
    case = await at_warehouse(queues)
    await queues.handle(inspect(case, (1, 2, "send_back")))
    assert await wanted(queues) == [], "a person decides first"
    await queues.handle(close(case) if how == "closed" else review(case, "reject"), trusted=True)
    assert await wanted(queues) == [("main", 2, 0)]
    assert len(queues.events_of("send_back.requested")) == 1


@pytest.mark.parametrize("end", ["rejected", "revoked", "rejected before they arrived"])
async def test_goods_that_came_back_before_their_review_go_back(queues: HandlerHarness, end: str) -> None:
    await queues.fill_stock(qty=10)
    order_id = await queues.place_shipped_order([("s1", 2)], lines=[("s1", 2)])
    await queues.handle(update(order_id, "T1", "delivered"))
    await queues.handle(update(order_id, "T1", "returning"))
    [case] = queues.events_of("after_sale.requested")
    returned = update(order_id, "T1", "returned")
    ends = revoke(case) if end == "revoked" else review(case, "reject")
    await queues.handle(*([ends] if "before" in end else [returned]), trusted=True)
    assert await wanted(queues) == []
    await queues.handle(*([returned] if "before" in end else [ends]), trusted=True)
    assert await wanted(queues) == [("main", 2, 0)]
    assert await queues.rows(TIMERS) == [(1, True)]
    if end != "revoked":
        await queues.handle(reopen(case))
        assert [code for code, _ in queues.rejections()] == ["AFTERSALE_STATE_INVALID"]
    await queues.handle(update(order_id, "T1", "returned"))
    assert len(queues.events_of("send_back.requested")) == 1


async def test_granted_money_for_refused_goods_leaves_them_with_the_shop(queues: HandlerHarness) -> None:
    case = await at_warehouse(queues)
    await queues.handle(inspect(case, (1, 2, "send_back")))
    await queues.handle(review(case, amount=200, reason_code="goodwill"), trusted=True)
    await end_refund(queues)
    assert (last(queues)["state"], await wanted(queues)) == ("completed", [])
    await queues.handle(apply(int(case["order_id"]), (1, 1)))
    assert [code for code, _ in queues.rejections()] == ["AFTERSALE_QTY_EXCEEDS"]


async def test_units_are_the_buyers_again_once_they_have_left(queues: HandlerHarness) -> None:
    case = await at_warehouse(queues)
    order_id = int(case["order_id"])
    await queues.handle(inspect(case, (1, 2, "send_back")), close(case), trusted=True)
    await queues.handle(apply(order_id, (1, 1)))
    assert [code for code, _ in queues.rejections()] == ["AFTERSALE_QTY_EXCEEDS"]
    await queues.handle(send_back(case), roles=ROLES)
    again = await open_case(queues, apply(order_id, (1, 2)))
    assert again["case_id"] != case["case_id"]


async def test_a_parcel_that_is_lost_on_its_way_to_the_buyer_is_left_to_a_person(queues: HandlerHarness) -> None:
    case = await at_warehouse(queues)
    order_id = int(case["order_id"])
    await queues.handle(inspect(case, (1, 2, "send_back")), close(case), trusted=True)
    await queues.handle(send_back(case), roles=ROLES)
    await queues.handle(update(order_id, "R1", "lost"))
    [alert] = queues.events_of("alert.raised")
    assert (alert["code"], "takes goods of a case back to the buyer" in alert["content"]) == (
        "LOGISTICS_RETURN_FAILED",
        True,
    )
    assert (await queues.states(), await queues.stock()) == (["delivered"], (8, 0))


async def test_a_parcel_to_the_buyer_ends_a_send_back_once_and_moves_nothing_else(queues: HandlerHarness) -> None:
    """Its facts come before it is handed over, doubled and out of order, while the order waits for a unit."""
    await queues.fill_stock(qty=10)
    order_id = await queues.place_shipped_order([("s1", 1)], [("s1", 1)], lines=[("s1", 3)])
    await queues.handle(update(order_id, "T1", "delivered"))
    case = await open_case(queues, apply(order_id, (1, 1), type="return_refund"))
    await queues.handle(review(case), ship_back(case), trusted=True)
    await queues.handle(update(order_id, "B1", "delivered"))
    await queues.handle(inspect(case, (1, 1, "send_back")), close(case), trusted=True)
    early = await queues.handle(update(order_id, "R1", "delivered"))
    assert [verdict.reason for verdict in early.verdicts.values()] == ["parcel_unknown"]
    states = "SELECT o.state, o.version, c.state, c.version FROM orders o JOIN after_sales c ON c.order_id = o.id"
    ends, stock = "SELECT parcel_id, sent_at, sent_cause_id FROM after_sale_send_backs", await queues.stock()
    before = await queues.rows(states)
    handed_over = send_back(case)
    await queues.handle(handed_over, handed_over, send_back(case, tracking_no="R2"), roles=ROLES)
    ended = await queues.rows(ends)

    delivered, late = update(order_id, "R1", "delivered"), update(order_id, "R1", "in_transit")
    late = late.model_copy(update={"occurred_at": delivered.occurred_at - timedelta(hours=1)})
    again = update(order_id, "R1", "delivered", "R1-again")
    await queues.handle_batch([queues.envelope(body) for body in (delivered, delivered, late, again)])
    assert await queues.rows("SELECT type FROM outbox") == [("shipment.updated.v1",)], "no case learns of it"
    await queues.relay()
    await queues.handle(late, delivered)
    await queues.handle(handed_over, roles=ROLES)
    assert (await queues.rows(states), await queues.stock()) == (before, stock)
    assert await queues.rows(ends) == ended
    assert len(queues.events_of("send_back.shipped")) == 1
    moved = [event["to_buyer"] for event in queues.events_of("shipment.updated") if event["tracking_no"] == "R1"]
    assert moved == [True]
    await queues.handle(update(order_id, "T2", "in_transit"))
    assert await queues.state(order_id) == before[0][0] == "paid", (
        "a unit has not left: that of the case does not count"
    )


def overdue(harness: HandlerHarness) -> list[str]:
    alerts = [event for event in harness.events_of("alert.raised") if event["code"] == "AFTERSALE_OVERDUE"]
    return [event["content"] for event in alerts]


async def test_people_are_alerted_of_goods_that_a_warehouse_does_not_send_back(queues: HandlerHarness) -> None:
    case = await at_warehouse(queues)
    order_id = int(case["order_id"])
    await queues.handle(inspect(case, (1, 1, "restock"), (1, 1, "send_back")))
    [(due,)] = await queues.rows("SELECT due_at FROM timers WHERE kind = 'after_sale'")
    assert await overdue_at(queues, order_id) == [("case_send_back", "main", due)]
    await end_refund(queues, "failed")
    assert await overdue_at(queues, order_id) == [("case_send_back", "main", None)], "the time is that of the case now"
    await end_refund(queues)
    assert (last(queues)["state"], await queues.rows(TIMERS)) == ("completed", [(1, True)])
    for times in (1, 2):
        await queues.sweep("after_sale")
        assert len(overdue(queues)) == times
        assert await queues.rows(TIMERS) == [(1, True)], "and again after the same time"
    assert "have the warehouse hand them over" in overdue(queues)[0]
    await queues.handle(send_back(case), roles=ROLES)
    assert await queues.rows(TIMERS) == [(0, None)]


@pytest.mark.parametrize("end", ["inspect_failed", "refund_failed"])
async def test_people_are_alerted_of_a_case_that_failed_until_they_decide(queues: HandlerHarness, end: str) -> None:
    case = await at_warehouse(queues)
    await queues.handle(inspect(case, (1, 2, "send_back" if end == "inspect_failed" else "restock")))
    if end == "refund_failed":
        await end_refund(queues, "failed")
    assert (last(queues)["state"], await queues.rows(TIMERS)) == (end, [(1, True)])
    for times in (1, 2):
        await queues.sweep("after_sale")
        assert (len(overdue(queues)), await queues.rows(TIMERS)) == (times, [(1, True)])
    await queues.handle(close(case), trusted=True)
    waits = end == "inspect_failed"  # for the warehouse, which sends the goods back
    assert await queues.rows("SELECT count(*) FROM timers WHERE kind = 'after_sale'") == [(int(waits),)]


async def test_a_warehouse_gets_what_it_has_to_send_back_again_until_it_has(queues: HandlerHarness) -> None:
    case = await at_warehouse(queues)
    order_id = int(case["order_id"])
    await queues.handle(inspect(case, (1, 2, "send_back")), close(case), trusted=True)
    [first] = [one for one in queues.instructions if isinstance(one, FulfilmentSendBack)]
    queues.instructions.clear()

    async def get(request_id: str, warehouse: str = "main") -> None:
        body = FulfilmentGet(request_id=request_id, order_id=order_id, warehouse=warehouse)
        await queues.handle(body, roles=ROLES)

    await get("g1")
    assert queues.instructions == [first], "also if its own request is done"
    await queues.pool.execute("DELETE FROM fulfilment_steps")
    await queues.pool.execute("DELETE FROM fulfilments")
    await get("g2")
    assert queues.instructions == [first, first], "also if it had no request"
    await get("g3", "east")
    await queues.handle(send_back(case), roles=ROLES)
    await get("g4")
    assert queues.instructions == [first, first]
    resent = [(event["state"], event["send_backs"]) for event in queues.events_of("fulfilment.resent")]
    assert resent == [("handed_over", 1), ("withdrawn", 1)]
    assert [code for code, _ in queues.rejections()] == ["ORDER_NOT_FOUND"] * 2


async def test_each_warehouse_sends_its_own_goods_back(queues: HandlerHarness) -> None:
    await queues.fill_stock()
    there: StockReceive = receive("s2", 10, ref="note-2", warehouse="east")
    await queues.handle(there)
    lines = (CreateLine(sku_id="s1", qty=1), CreateLine(sku_id="s2", qty=1, warehouse="east"))
    order_id = await queues.create_order(create(items=lines, expected_pay_amount=1000))
    await queues.pay(order_id)
    for name in ("main", "east"):
        await queues.handle(book(order_id, name).model_copy(update={"warehouse": name}))
        await queues.handle(update(order_id, name, "delivered"))
    case = await open_case(queues, apply(order_id, type="return_refund"))
    await queues.handle(review(case), arrive(case), trusted=True)
    await queues.handle(inspect(case, (1, 1, "send_back"), (2, 1, "send_back")), close(case), trusted=True)
    assert await wanted(queues) == [("east", 1, 0), ("main", 1, 0)]
    sent = [one.warehouse for one in queues.instructions if isinstance(one, FulfilmentSendBack)]
    assert sent == ["main"], "the other has no queue, and sees the event"
    await queues.handle(send_back(case, "east", "R2"), send_back(case, "west", "R3"), roles=ROLES)
    assert await wanted(queues) == [("east", 1, 1), ("main", 1, 0)]
    assert await queues.rows(TIMERS) == [(1, True)], "the other has not"
    await queues.handle(send_back(case, "main", "R2"), roles=ROLES)
    assert [code for code, _ in queues.rejections()] == ["AFTERSALE_STATE_INVALID", "LOGISTICS_NUMBER_IN_USE"]


async def test_nobody_else_reports_for_a_warehouse(harness: HandlerHarness) -> None:
    case = await at_warehouse(harness)
    shop.configure(WAREHOUSES)
    await harness.handle(inspect(case, (1, 2, "send_back")), close(case), trusted=True)
    await harness.handle(send_back(case), roles=ROLES)
    await harness.handle(send_back(case).model_copy(update={"actor": user()}), trusted=True)
    assert [code for code, _ in harness.rejections()] == ["AUTH_FORBIDDEN"] * 2
    shop.configure(Shop())


async def test_a_user_whose_goods_go_back_is_not_erased(queues: HandlerHarness) -> None:
    """The warehouse needs the address."""
    case = await at_warehouse(queues)
    await queues.handle(inspect(case, (1, 2, "send_back")), close(case), trusted=True)
    await queues.pool.execute("UPDATE orders SET state = 'completed', completed_at = now()")
    await queues.pool.execute("DELETE FROM timers")
    erase = SubjectErase(request_id="e-1", actor=OPERATOR, user_id="u1", reason_code="USER_REQUEST")
    await queues.handle(erase, trusted=True)
    [(_, details)] = queues.rejections()
    assert "goods to send back" in str(details)
