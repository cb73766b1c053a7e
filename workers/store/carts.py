"""What users mean to buy."""

from collections.abc import Mapping
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
    keys = sorted(units)
    if put and gone:
        await tx.execute(SQL["carts.lock"], [user for user, _ in keys], [sku for _, sku in keys])
    if put:
        await tx.execute(SQL["carts.save"], *(list(column) for column in zip(*put, strict=True)))
    if gone:
        await tx.execute(SQL["carts.remove"], *(list(column) for column in zip(*gone, strict=True)))


async def remove_ordered(tx: Transaction, book: Book[Envelope[Any]]) -> list[outbox.Announcement]:
    """What was ordered from carts leaves them, now that the orders stand (S0-01)."""
    steps = [step for step in book.owing(Effect.CART_EMPTIED) if step.order.source == "cart"]
    if not steps:
        return []
    because = {step.order.user_id: step.because for step in steps}
    ordered = sorted({member.id for step in steps for member in book.family(step.order.id)})
    rows = await tx.fetch(SQL["carts.remove_ordered"], ordered)
    return [
        outbox.event(
            CartItemsRemoved(user_id=row["user_id"], sku_ids=tuple(row["sku_ids"])), because=because[row["user_id"]]
        )
        for row in rows
    ]
