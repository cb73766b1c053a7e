"""Reads orders that are archived. It locks nothing."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from db.pool import Transaction
from db.statements import SQL, columns


@dataclass(frozen=True)
class ArchivedOrder:
    """An archived order: the document that was kept of it, and since when."""

    id: int
    document: Mapping[str, Any]
    archived_at: datetime


@dataclass(frozen=True)
class ArchivedName:
    """The archived order that a name means, and whose it is."""

    id: int
    user_id: str


async def find(tx: Transaction, ids: Mapping[str, int | None]) -> dict[str, ArchivedName]:
    """Name -> the archived order that it means; names of none are missing. `ids` has the id that each name may be."""
    if not ids:
        return {}
    rows = await tx.fetch(SQL["archived_orders.find"], list(ids), list(ids.values()))
    return {row["name"]: ArchivedName(row["order_id"], row["user_id"]) for row in rows}


async def read(tx: Transaction, ids: Iterable[int]) -> dict[int, ArchivedOrder]:
    """Order id -> the archived order; unknown ids are missing."""
    rows = await tx.fetch(SQL["archived_orders.documents"], sorted(set(ids)))
    return {row["order_id"]: _order(row) for row in rows}


async def of_users(tx: Transaction, pages: Sequence[tuple[str, int, int, bool]]) -> list[list[ArchivedOrder]]:
    """The archived orders of each page, the newest first.

    A page is (user id, the order id that it is below, how many orders, whether deleted ones are among them).
    """
    found: list[list[ArchivedOrder]] = [[] for _ in pages]
    if not pages:
        return found
    for row in await tx.fetch(SQL["archived_orders.of_users"], *columns(pages)):
        found[row["place"] - 1].append(_order(row))
    return found


def _order(row: Any) -> ArchivedOrder:
    return ArchivedOrder(row["order_id"], orjson.loads(row["document"]), row["archived_at"])
