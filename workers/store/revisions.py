"""What all things of the catalogue have in common: an id, and a revision that only goes up."""

from collections.abc import Iterable, Sequence
from typing import Any

from db.pool import Transaction
from db.statements import SQL


async def lock(tx: Transaction, statement: str, ids: Iterable[str]) -> dict[str, int]:
    """Id -> the revision we have, locked until commit; unknown ones are missing."""
    rows = await tx.fetch(SQL[statement], sorted(set(ids)))
    return {row["id"]: row["revision"] for row in rows}


async def write(tx: Transaction, statement: str, *columns: Sequence[Any]) -> None:
    """Write each thing once. One whose newer revision was written meanwhile is an error: it is tried again."""
    rows = await tx.fetch(SQL[statement], *columns) if columns[0] else []
    if len(rows) != len(columns[0]):
        raise ValueError(f"{statement}: a newer revision was written at the same time")
