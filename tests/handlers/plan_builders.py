"""Orders of earlier days, for queries about plans."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from messages.base import Actor
from tests.handlers.harness import HandlerHarness
from workers.domain.ids import make_id

ZONE = ZoneInfo("Asia/Shanghai")
NOON = datetime.now(ZONE).replace(hour=12, minute=0, second=0, microsecond=0)
OPERATOR = Actor(type="operator", id="ops-1")


def days_before(days: int) -> datetime:
    """Noon of an earlier day in the shop's time zone."""
    return NOON - timedelta(days=days)


async def place_back(harness: HandlerHarness, order_id: int, at: datetime) -> int:
    """Give an order the id that it would have if it had been placed then. Only the order and its lines follow."""
    earlier = make_id(int(at.timestamp() * 1000), 0, order_id)
    async with harness.pool.acquire() as tx, tx.transaction():
        await tx.execute("SET LOCAL session_replication_role = replica")  # ids are immutable
        await tx.execute("UPDATE orders SET id = $2, root_id = $2 WHERE id = $1", order_id, earlier)
        await tx.execute("UPDATE order_items SET order_id = $2 WHERE order_id = $1", order_id, earlier)
    return earlier


async def sell(harness: HandlerHarness, qty: int, at: datetime, sku: str = "s1", price: int = 500) -> int:
    """Sell units of a SKU to an order that was placed and paid then; return its id."""
    order_id = await harness.place_order((sku, qty), price=price, user_id=f"buyer-{harness.count}")
    await harness.pay(order_id)
    return await place_back(harness, order_id, at)
