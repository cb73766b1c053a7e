"""Deletes rows whose retention has passed, a few at a time."""

from db.pool import Transaction
from db.statements import SQL


async def purge(tx: Transaction, rule: str, days: int, rows_max: int) -> int:
    """Delete at most `rows_max` rows under a rule of db/sql/retention.sql; return how many. It waits for no lock."""
    status = await tx.execute(SQL[f"retention.{rule}"], days, rows_max)
    return int(status.rpartition(" ")[2])
