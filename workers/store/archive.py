"""Moves orders that ended long ago into archived_orders, with all that belongs to them, and drops empty months."""

from collections.abc import Sequence

from db.pool import Transaction
from db.statements import SQL, columns
from workers.store.commands import CommandKey

DELETES = ("delete_parcels", "delete_payments", "delete_authorizations", "delete_notes", "delete_orders")
"""The statements that delete the rows of orders, those without a foreign key to an order first."""


async def bound(tx: Transaction, months: int) -> int:
    """Return the least id of an order of this month, or of the month that is so many months before it."""
    return int(await tx.fetchval(SQL["archive.bound"], months))


async def lock_roots(tx: Transaction, below: int, after: int, size: int) -> list[int]:
    """Lock root orders with ids in between, in order, and return their ids."""
    return [row["id"] for row in await tx.fetch(SQL["archive.lock_roots"], below, after, size)]


async def ended(tx: Transaction, roots: Sequence[int]) -> list[int]:
    """Return those of the root orders (locked) for which nothing is left to happen."""
    return [row["id"] for row in await tx.fetch(SQL["archive.ended"], roots)]


async def creations(tx: Transaction, roots: Sequence[int]) -> dict[CommandKey, int]:
    """The order.create of each of these orders of which the outcome is rendered from the order -> the order's id."""
    rows = await tx.fetch(SQL["archive.creations"], roots)
    return {(row["scope"], row["request_id"]): row["order_id"] for row in rows}


async def save_outcomes(tx: Transaction, outcomes: Sequence[tuple[str, str, str]]) -> None:
    """Store outcomes (scope, request id, JSON) in place of the ids of their orders."""
    if outcomes:
        await tx.execute(SQL["archive.save_outcomes"], *columns(outcomes))


async def archive(tx: Transaction, roots: Sequence[int]) -> int:
    """Keep each order of these families (locked) as one document, and delete its rows. Returns how many orders."""
    ids = await tx.fetchval(SQL["archive.family_ids"], roots)
    await tx.execute(SQL["archive.keep"], roots)
    for name in DELETES:
        await tx.execute(SQL[f"archive.{name}"], ids)
    return len(ids)


async def drop_empty_months(tx: Transaction, below: int) -> int:
    """Drop the partitions of months that end before this order id and have no order; return how many months."""
    return int(await tx.fetchval(SQL["archive.drop_empty"], below) or 0)
