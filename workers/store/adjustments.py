"""What operators took off the prices of orders: rows that are only added, and the prices that follow from them."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from db.pool import Transaction
from db.statements import SQL, columns
from workers.domain.adjustments import AdjustableLine

WHOLE_ORDER = 0
"""The line number of the row of an order itself. Its lines have rows of their own; a parent has the one row."""


class AdjustmentRow(NamedTuple):
    """What the step to `version` took off an order, or off one of its lines; `shipping` of it off the shipping."""

    order_id: int
    version: int
    line_no: int
    amount: int
    shipping: int
    reason_code: str


async def lines(tx: Transaction, families: Mapping[int, Iterable[int]]) -> dict[int, list[AdjustableLine]]:
    """Root id -> the lines of its family, in order. `families` is root id -> the locked orders that have lines."""
    roots = {key: root for root, members in families.items() for key in members}
    found = defaultdict[int, list[AdjustableLine]](list)
    for row in await tx.fetch(SQL["adjustments.lines"], sorted(roots)) if roots else ():
        found[roots[row["order_id"]]].append(AdjustableLine(*row))
    return found


async def save(tx: Transaction, rows: Sequence[AdjustmentRow]) -> None:
    """Record the rows, then change what they name. Call it before the orders leave the state in which they wait."""
    if not rows:
        return
    await tx.execute(SQL["adjustments.record"], *columns(rows))
    taken = Counter[int]()
    for row in rows:
        taken[row.order_id] += row.amount if row.line_no == WHOLE_ORDER else 0
    changed = await tx.fetch(SQL["adjustments.apply"], *columns(sorted(taken.items())))
    assert len(changed) == len(taken), "a locked order is gone"
