"""Carts: what users mean to buy, one row per user and SKU."""

from collections.abc import Iterable, Mapping

from db.pool import Transaction
from db.statements import SQL, columns
from workers.store.ids import bounds

LineKey = tuple[str, str]
"""(user id, SKU)"""


async def save(tx: Transaction, units: Mapping[LineKey, int]) -> None:
    """Set the units of these lines, and remove lines with 0 units."""
    put = sorted((user, sku, qty) for (user, sku), qty in units.items() if qty)
    emptied = sorted(key for key, qty in units.items() if not qty)
    if put and emptied:
        await tx.execute(SQL["carts.lock"], *columns(sorted(units)))
    if put:
        await tx.execute(SQL["carts.save"], *columns(put))
    if emptied:
        await tx.execute(SQL["carts.remove"], *columns(emptied))


async def remove_ordered(tx: Transaction, order_ids: Iterable[int]) -> dict[str, tuple[str, ...]]:
    """Remove from carts the lines that these orders bought. Returns user id -> the SKUs that left the cart."""
    wanted = sorted(set(order_ids))
    rows = await tx.fetch(SQL["carts.remove_ordered"], wanted, *bounds(wanted))
    return {row["user_id"]: tuple(row["sku_ids"]) for row in rows}
