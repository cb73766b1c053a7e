"""Compares what the kept events say of orders with the rows of the orders."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from db.pool import Transaction
from db.statements import SQL
from workers.domain.order_folding import FoldedOrder, differences

READ_TOGETHER = 500


@dataclass(frozen=True)
class EventDifference:
    """One thing that the events of an order say otherwise than its row, or than each other."""

    order: str
    difference: str


@dataclass(frozen=True)
class Comparison:
    """What differs, and how many orders were not compared, since events of theirs may be under way."""

    found: tuple[EventDifference, ...]
    under_way: int


async def compare(
    tx: Transaction, orders: Mapping[int, FoldedOrder], *, now: datetime, grace_seconds: float
) -> Comparison:
    """Compare orders with their rows, except for those that changed within the grace before `now`."""
    found: list[EventDifference] = []
    under_way = 0
    ids = sorted(orders)
    for first in range(0, len(ids), READ_TOGETHER):
        keys = ids[first : first + READ_TOGETHER]
        rows: dict[int, Any] = {row["id"]: row for row in await tx.fetch(SQL["order_view.order"], keys)}
        for key in keys:
            row = rows.get(key)
            if row is not None and row["updated_at"] > now - timedelta(seconds=grace_seconds):
                under_way += 1
                continue
            found += [EventDifference(str(key), text) for text in differences(orders[key], row)]
    return Comparison(tuple(found), under_way)
