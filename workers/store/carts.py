"""What users mean to buy."""

from collections.abc import Mapping, Sequence
from typing import Any

import outbox
from db.pool import Transaction
from db.statements import SQL
from messages.carts import CartItemsRemoved
from messages.envelope import Envelope
from workers.domain.book import Book
from workers.domain.order import Effect

LineKey = tuple[str, str]
"""(user id, SKU)"""


async def save(tx: Transaction, units: Mapping[LineKey, int]) -> None:
    """Set the units of these lines; none means that the line goes."""
    put = sorted((user, sku, qty) for (user, sku), qty in units.items() if qty)
    gone = sorted(key for key, qty in units.items() if not qty)
    if put:
        await tx.execute(SQL["carts.save"], *(list(column) for column in zip(*put, strict=True)))
    if gone:
        await tx.execute(SQL["carts.remove"], *(list(column) for column in zip(*gone, strict=True)))


async def remove_ordered(tx: Transaction, book: Book[Envelope[Any]]) -> list[outbox.Announcement]:
    """What was ordered from carts leaves them, now that the orders stand (S0-01)."""
    steps = {s.order.id: s for s in book.owing(Effect.CART_EMPTIED) if s.order.source == "cart"}
    if not steps:
        return []
    families: Sequence[int] = sorted({member.id for key in steps for member in book.family(key)})
    rows = await tx.fetch(SQL["carts.remove_ordered"], families)
    return [
        outbox.event(
            CartItemsRemoved(user_id=row["user_id"], sku_ids=tuple(row["sku_ids"])),
            because=steps[row["root_id"]].because,
        )
        for row in rows
    ]
