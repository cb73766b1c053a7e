"""Scenarios of after-sale cases: cases in every state that a message finds them in."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

from messages.after_sales import (
    AfterSaleApply,
    AfterSaleDue,
    AfterSaleParcelMoved,
    AfterSaleRefundMoved,
    AppliedLine,
    ReturnedLine,
)
from messages.base import Message
from messages.replacements import AfterSaleExchangeDecided, AfterSaleExchangeMoved
from tests.e2e.scenarios import Arrange, delivered, per, timers, unique
from tests.handlers import case_builders as cases
from tests.handlers.builders import end_quarantine, update
from tests.handlers.harness import HandlerHarness
from tests.handlers.refund_builders import refund_result

Event = dict[str, Any]
OF_ORDERS = "case_id IN (SELECT case_id FROM exchange_orders WHERE order_id = ANY($1::bigint[]))"
BEFORE_ARRIVAL = (
    f"DELETE FROM after_sale_steps WHERE cur_state = 'completed' AND {OF_ORDERS}",
    f"UPDATE after_sale_lines SET replaced_qty = 0 WHERE {OF_ORDERS}",
    "UPDATE after_sales SET state = 'reshipping', version = version - 1, completed_at = NULL"
    " WHERE id IN (SELECT case_id FROM exchange_orders WHERE order_id = ANY($1::bigint[]))",
    "UPDATE exchange_orders SET state = 'paid' WHERE order_id = ANY($1::bigint[])",
)
"""SQL that takes back what the arrival of exchange orders did to their cases."""


async def opened(harness: HandlerHarness, n: int, type: str = "return_refund") -> list[Event]:
    """Cases that wait for their review."""
    keys = await delivered(harness, n)
    harness.events.clear()
    await harness.handle(*(cases.apply(key, type=type) for key in keys))
    return harness.events_of("after_sale.requested")


async def approved(harness: HandlerHarness, n: int, type: str = "return_refund") -> list[Event]:
    found = await opened(harness, n, type)
    await harness.handle(*(cases.review(event) for event in found), trusted=True)
    return found


async def received(harness: HandlerHarness, n: int) -> list[Event]:
    found = await approved(harness, n)
    await harness.handle(*(cases.arrive(event) for event in found))
    return found


async def rejected(harness: HandlerHarness, n: int) -> list[Event]:
    found = await opened(harness, n)
    await harness.handle(*(cases.review(event, "reject") for event in found), trusted=True)
    return found


async def refused(harness: HandlerHarness, n: int) -> list[Event]:
    """Cases whose goods the inspection refused, and that ended without them."""
    found = await received(harness, n)
    await harness.handle(*(inspection(event, "send_back") for event in found))
    await harness.handle(*(cases.close(event) for event in found), trusted=True)
    return found


async def refunded(harness: HandlerHarness, n: int) -> Sequence[Message]:
    """The ends of the refunds of cases."""
    await approved(harness, n, "refund_only")
    return [refund_result(event) for event in harness.events_of("refund.requested")]


async def moved(harness: HandlerHarness, n: int) -> Sequence[Message]:
    found = await approved(harness, n, "refund_only")
    return [
        AfterSaleRefundMoved(order_id=event["order_id"], case_id=event["case_id"], refund_no="R1", state="succeeded")
        for event in found
    ]


async def overdue(harness: HandlerHarness, n: int) -> Sequence[Message]:
    found = await opened(harness, n)
    await harness.make_timers_due("after_sale")
    return [AfterSaleDue(case_id=event["case_id"]) for event in found]


async def woken(harness: HandlerHarness, n: int) -> Sequence[Message]:
    return await timers(harness, [int(event["case_id"]) for event in await opened(harness, n)], "after_sale")


async def sent_back(harness: HandlerHarness, n: int) -> list[Event]:
    found = await approved(harness, n)
    await harness.handle(*(cases.ship_back(event, event["case_id"]) for event in found))
    return found


def arrival(event: Event) -> Message:
    return update(int(event["order_id"]), event["case_id"], "delivered")


async def brought_back(harness: HandlerHarness, n: int) -> Sequence[Message]:
    """Parcels that came back after delivery, of which no case knows."""
    keys = await delivered(harness, n)
    parcels = await harness.rows("SELECT id, order_id FROM shipments JOIN shipment_items ON shipment_id = id")
    ids = {order_id: parcel_id for parcel_id, order_id in parcels}
    line = ReturnedLine(line_no=1, qty=1)
    fields: dict[str, Any] = {"carrier": "sf", "outcome": "arrived", "lines": (line,)}
    return [AfterSaleParcelMoved(order_id=key, shipment_id=ids[key], tracking_no=str(key), **fields) for key in keys]


async def in_quarantine(harness: HandlerHarness, n: int) -> Sequence[Message]:
    """Ends of quarantines, in which the units of cases are."""
    found = await received(harness, n)
    await harness.handle(*(inspection(event, "quarantine") for event in found))
    return [end_quarantine(1, request_id=unique()) for _ in found]


async def exchanging(harness: HandlerHarness, n: int) -> list[Event]:
    """Exchange cases, as they were applied for."""
    keys = await delivered(harness, n)
    harness.events.clear()
    await harness.handle(*(exchange(key) for key in keys))
    return harness.events_of("after_sale.requested")


async def exchanged(harness: HandlerHarness, n: int) -> list[Event]:
    """Exchange cases whose goods are at the warehouse."""
    found = await exchanging(harness, n)
    await harness.handle(*(cases.review(event) for event in found), trusted=True)
    await harness.handle(*(cases.arrive(event) for event in found))
    return found


async def exchange_orders(harness: HandlerHarness, n: int) -> list[int]:
    """The newest exchange orders."""
    rows = await harness.rows(f"SELECT order_id FROM exchange_orders ORDER BY order_id DESC LIMIT {n}")
    return sorted(key for (key,) in rows)


async def decided(harness: HandlerHarness, n: int) -> Sequence[Message]:
    await exchanged(harness, n)
    return [
        AfterSaleExchangeDecided(exchange_order_id=key, decision="send") for key in await exchange_orders(harness, n)
    ]


async def exchange_moved(harness: HandlerHarness, n: int) -> Sequence[Message]:
    """News of exchange orders that arrived, as their cases were before it."""
    found = await exchanged(harness, n)
    await harness.handle(*(inspection(event) for event in found))
    keys = await exchange_orders(harness, n)
    for key in keys:
        await harness.deliver(key)
    for sql in BEFORE_ARRIVAL:
        await harness.pool.execute(sql, keys)
    return [AfterSaleExchangeMoved(exchange_order_id=key, state="delivered") for key in keys]


def about(those: Callable[[HandlerHarness, int], Awaitable[list[Event]]], make: Callable[[Event], Message]) -> Arrange:
    """One message for each case that was arranged."""

    async def arrange(harness: HandlerHarness, n: int) -> list[Message]:
        return [make(event) for event in await those(harness, n)]

    return arrange


def application(key: int) -> AfterSaleApply:
    return cases.apply(key, (1, 1))


def inspection(event: Event, disposition: str = "restock") -> Message:
    return cases.inspect(event, *((line["line_no"], line["qty"], disposition) for line in event["lines"]))


def exchange(key: int) -> AfterSaleApply:
    return cases.apply(key, type="exchange", lines=(AppliedLine(line_no=1, qty=1, wanted_sku_id="s1"),))


AFTER_SALES: dict[str, Arrange] = {
    "after_sale.apply": per(delivered, application),
    "after_sale.review": about(partial(opened, type="refund_only"), cases.review),
    "after_sale.review return": about(opened, cases.review),
    "after_sale.cancel": about(opened, cases.revoke),
    "after_sale.reopen": about(rejected, cases.reopen),
    "after_sale.ship_back": about(approved, lambda event: cases.ship_back(event, str(event["case_id"]))),
    "after_sale.receive": about(approved, cases.arrive),
    "after_sale.inspect": about(received, inspection),
    "after_sale.inspect quarantine": about(received, partial(inspection, disposition="quarantine")),
    "stock.end_quarantine": in_quarantine,
    "after_sale.close": about(approved, cases.close),
    "after_sale.send_back": about(refused, lambda event: cases.send_back(event, "main", str(event["case_id"]))),
    "after_sale.apply exchange": per(delivered, exchange),
    "after_sale.review exchange": about(exchanging, cases.review),
    "after_sale.inspect exchange": about(exchanged, inspection),
    "after_sale.exchange_decided": decided,
    "after_sale.exchange_moved": exchange_moved,
    "after_sale.due": overdue,
    "after_sale.refund_moved": moved,
    "after_sale.parcel_moved": brought_back,
    "shipment.update of a case": about(sent_back, arrival),
    "timer.due after_sale": woken,
    "refund.result of a case": refunded,
}
