"""The partitions of orders and of what belongs to them: one for each month of the ids of orders (S1-40)."""

from datetime import datetime

from db.pool import Transaction
from db.statements import SQL


async def make(tx: Transaction, months_ahead: int) -> int | None:
    """Make the partitions that are missing until so many months from now; return how many, or None if another does."""
    made: int | None = await tx.fetchval(SQL["order_partitions.make"], months_ahead)
    return made


async def made_until(tx: Transaction) -> datetime:
    """When the ids begin for which there is no partition yet: an order that is placed then fails."""
    at: datetime = await tx.fetchval(SQL["order_partitions.last"])
    return at


async def oldest_ms(tx: Transaction) -> int:
    """The least time, in ms since 1970, that the id of an order may have: older months were archived and dropped."""
    at_ms: int = await tx.fetchval(SQL["order_partitions.oldest"])
    return at_ms
