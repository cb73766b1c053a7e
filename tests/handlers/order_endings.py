"""The ways in which an unpaid order ends: each function places the order and lets it end.

UNPAID_ENDS lists them with the state in which the order ends.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeAlias

from messages.orders import OrderCreate
from messages.risk import RiskResult
from messages.stock import StockRefused
from tests.handlers.builders import cancel, captured
from tests.handlers.catalogue_builders import settings
from tests.handlers.harness import HandlerHarness
from workers import shop

End: TypeAlias = Callable[[HandlerHarness, OrderCreate], Awaitable[None]]


async def place_without_stock_answer(harness: HandlerHarness, body: OrderCreate) -> int:
    """Place an order whose reservation is lost: the stock never answers."""
    await harness.handle_batch([harness.envelope(body)])
    for row in await harness.pool.fetch("DELETE FROM outbox RETURNING *"):
        if row["destination"] == "events":
            await harness.relay_row(row)
    order_id: int = await harness.pool.fetchval(
        "SELECT id FROM orders WHERE request_id = $1 AND parent_id IS NULL", body.request_id
    )
    return order_id


async def cancelled(harness: HandlerHarness, body: OrderCreate) -> None:
    order_id = await harness.create_order(body)
    await harness.handle(cancel(order_id, f"end-{order_id}"))


async def not_paid_in_time(harness: HandlerHarness, body: OrderCreate) -> None:
    await harness.create_order(body)
    await harness.sweep("payment")


async def payment_failed(harness: HandlerHarness, body: OrderCreate) -> None:
    await harness.handle(settings(revision=harness.count + 1, on_payment_failure="cancel"), trusted=True)
    order_id = await harness.create_order(body)
    await harness.handle(captured(order_id, 1, f"end-{order_id}", kind="failed"), trusted=True)


async def out_of_stock(harness: HandlerHarness, body: OrderCreate) -> None:
    order_id = await place_without_stock_answer(harness, body)
    await harness.handle(StockRefused(group_id=order_id, code="INVENTORY_INSUFFICIENT"))


async def stock_silent(harness: HandlerHarness, body: OrderCreate) -> None:
    await place_without_stock_answer(harness, body)
    await harness.sweep("saga")


async def risk_rejected(harness: HandlerHarness, body: OrderCreate) -> None:
    rules = shop.current()
    shop.configure(replace(rules, risk_check=True))
    order_id = await place_without_stock_answer(harness, body)
    await harness.handle(RiskResult(order_id=order_id, verdict="rejected"), trusted=True)
    shop.configure(rules)


UNPAID_ENDS: dict[str, tuple[End, str]] = {
    "cancelled": (cancelled, "cancelled"),
    "not paid in time": (not_paid_in_time, "cancelled"),
    "payment failed": (payment_failed, "cancelled"),
    "out of stock": (out_of_stock, "rejected"),
    "stock silent": (stock_silent, "rejected"),
    "risk rejected": (risk_rejected, "rejected"),
}
"""Maps the way an order ends to the function that ends it, and the state that it then has."""
