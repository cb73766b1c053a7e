"""Every way in which an order ends that was never paid; each places the order and lets it end."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeAlias

from messages.orders import OrderCreate
from messages.risk import RiskResult
from messages.stock import StockRefused
from tests.handlers.catalogue_builders import settings
from tests.handlers.harness import Floor, cancel, captured
from workers import shop

End: TypeAlias = Callable[[Floor, OrderCreate], Awaitable[None]]


async def placing(floor: Floor, body: OrderCreate) -> int:
    """An order whose stock does not answer: the reservation is lost."""
    await floor.handle([floor.wrap(body)])
    for row in await floor.pool.fetch("DELETE FROM outbox RETURNING *"):
        if row["destination"] == "events":
            await floor.carry(row)
    order_id: int = await floor.pool.fetchval(
        "SELECT id FROM orders WHERE request_id = $1 AND parent_id IS NULL", body.request_id
    )
    return order_id


async def cancelled(floor: Floor, body: OrderCreate) -> None:
    order_id = await floor.order(body)
    await floor.say(cancel(order_id, f"end-{order_id}"))


async def not_paid_in_time(floor: Floor, body: OrderCreate) -> None:
    await floor.order(body)
    await floor.sweep("payment")


async def payment_failed(floor: Floor, body: OrderCreate) -> None:
    await floor.say(settings(revision=floor.count + 1, on_payment_failure="cancel"), trusted=True)
    order_id = await floor.order(body)
    await floor.say(captured(order_id, 1, f"end-{order_id}", kind="failed"), trusted=True)


async def out_of_stock(floor: Floor, body: OrderCreate) -> None:
    order_id = await placing(floor, body)
    await floor.say(StockRefused(group_id=order_id, code="INVENTORY_INSUFFICIENT"))


async def stock_silent(floor: Floor, body: OrderCreate) -> None:
    await placing(floor, body)
    await floor.sweep("saga")


async def risk_rejected(floor: Floor, body: OrderCreate) -> None:
    rules = shop.current()
    shop.configure(replace(rules, risk_check=True))
    order_id = await placing(floor, body)
    await floor.say(RiskResult(order_id=order_id, verdict="rejected"), trusted=True)
    shop.configure(rules)


UNPAID_ENDS: dict[str, tuple[End, str]] = {
    "cancelled": (cancelled, "cancelled"),
    "not paid in time": (not_paid_in_time, "cancelled"),
    "payment failed": (payment_failed, "cancelled"),
    "out of stock": (out_of_stock, "rejected"),
    "stock silent": (stock_silent, "rejected"),
    "risk rejected": (risk_rejected, "rejected"),
}
"""How it ends -> what makes it end so, and the state it ends in."""
