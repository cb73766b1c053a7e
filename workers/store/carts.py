"""Carts: what users mean to buy, one row per user and SKU."""

from collections.abc import Iterable, Mapping

from db.pool import Transaction
from db.statements import SQL, columns

LineKey = tuple[str, str]
"""(user id, SKU)"""


async def save(tx: Transaction, units: Mapping[LineKey, int]) -> None:
    """Set the units of these lines; none means that the line goes."""
    put = sorted((user, sku, qty) for (user, sku), qty in units.items() if qty)
    gone = sorted(key for key, qty in units.items() if not qty)
    keys = sorted(units)
    if put and gone:
        await tx.execute(SQL["carts.lock"], [user for user, _ in keys], [sku for _, sku in keys])
    if put:
        await tx.execute(SQL["carts.save"], *columns(put))
    if gone:
        await tx.execute(SQL["carts.remove"], *columns(gone))


async def remove_ordered(tx: Transaction, order_ids: Iterable[int]) -> dict[str, tuple[str, ...]]:
    """Remove from carts what these orders bought; user id -> the SKUs that left the cart."""
    rows = await tx.fetch(SQL["carts.remove_ordered"], sorted(set(order_ids)))
    return {row["user_id"]: tuple(row["sku_ids"]) for row in rows}
