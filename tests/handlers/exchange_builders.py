"""Builders of exchange cases, and what the tests read of their orders."""

from typing import Any

from messages.after_sales import AfterSaleApply, AppliedLine
from tests.handlers.case_builders import apply, arrive, inspect, open_case, review, ship_back
from tests.handlers.harness import HandlerHarness


async def delivered(harness: HandlerHarness, *lines: tuple[str, int]) -> int:
    """A delivered order, by default of two units at 500."""
    await harness.fill_stock(qty=20)
    order_id = await harness.place_paid_order(*(lines or (("s1", 2),)))
    await harness.deliver(order_id)
    harness.events.clear()
    return order_id


def refunded(harness: HandlerHarness) -> list[int]:
    return [event["amount"] for event in harness.events_of("refund.requested")]


def exchange(order_id: int, *units: tuple[int, int, str | None], **changes: Any) -> AfterSaleApply:
    """An application for other goods: (line number, units, wanted SKU)."""
    lines = tuple(AppliedLine(line_no=no, qty=qty, wanted_sku_id=sku) for no, qty, sku in units)
    return apply(order_id, type="exchange", lines=lines, **changes)


async def approved(harness: HandlerHarness, order_id: int, *units: tuple[int, int, str]) -> dict[str, Any]:
    case = await open_case(harness, exchange(order_id, *units))
    await harness.handle(review(case), trusted=True)
    return case


async def exchange_order(harness: HandlerHarness) -> tuple[int, str, int]:
    """The newest exchange order: its id, its state and what is to be paid for it."""
    rows = await harness.rows(
        "SELECT id, state, payable_amount FROM orders WHERE kind = 'exchange' ORDER BY id DESC LIMIT 1"
    )
    return rows[0]


async def back(harness: HandlerHarness, case: dict[str, Any], *found: tuple[int, int, str]) -> None:
    """Let the goods of a case come back, with this inspection."""
    await harness.handle(ship_back(case, str(case["case_id"])), arrive(case))
    await harness.handle(inspect(case, *found))
