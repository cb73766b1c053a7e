"""Orders that a late payment may reinstate: their goods, and the captures that wait for what becomes of them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from db.pool import Transaction
from db.statements import SQL
from messages.stock import StockLine
from workers.domain.payment_rules import PaymentVerdict


class EndedWait(NamedTuple):
    """A capture that waited, and its verdict now."""

    order_id: int
    provider: str
    trade_no: str
    intent_id: int | None
    amount: int
    currency: str
    verdict: str


async def goods(tx: Transaction, roots: Iterable[int]) -> Mapping[int, Sequence[StockLine]]:
    """Root id -> the units that it and its children need. Orders that must not be reinstated are missing.

    They come from where they would have come from, or from one of the other warehouses that their sale allowed.
    Those that are missing have no address any more, or were held when they ended: their holds are not reinstated.
    """
    wanted, found = sorted(set(roots)), defaultdict[int, list[StockLine]](list)
    for root_id, holder_id, sku_id, warehouse, qty, listed in (
        await tx.fetch(SQL["reinstatements.lines"], wanted) if wanted else ()
    ):
        others = tuple(name for name in listed if name != warehouse)
        line = StockLine(holder_id=holder_id, sku_id=sku_id, warehouse=warehouse, qty=qty, others=others)
        found[root_id].append(line)
    return found


async def end_waiting(tx: Transaction, verdicts: Mapping[int, PaymentVerdict]) -> list[EndedWait]:
    """Give the waiting capture of each of these locked orders its verdict, which is final."""
    if not verdicts:
        return []
    ids = sorted(verdicts)
    rows = await tx.fetch(SQL["payments.end_waiting"], ids, [verdicts[key] for key in ids])
    assert len(rows) == len(ids), "an order that was to be reinstated has no waiting capture"
    return [EndedWait(*row) for row in rows]
