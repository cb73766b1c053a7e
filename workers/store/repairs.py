"""Orders that are behind their stock or their timers, and the record of what was announced for them again."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from db.pool import Transaction
from db.statements import SQL, columns
from messages.stock import RestockLine
from workers.domain.buying_groups import GroupState
from workers.domain.order import State
from workers.domain.repairs import StockSituation
from workers.domain.shop import DeductOn
from workers.domain.stock_reservations import HolderState
from workers.store.timers import Timer, TimerKind

Restock = tuple[int, str]
"""(order id, ref)"""


@dataclass(frozen=True)
class MissingTimer:
    """A timer that an order, or an attempt or refund of it, needs and does not have."""

    order_id: int
    order_no: str | None
    state: State
    timer: Timer


@dataclass(frozen=True)
class BehindGroup:
    """An order that does not know what became of its group, or one of an open group that is full of paid orders."""

    key: int
    group_id: str
    group_state: GroupState
    order_id: int
    order_no: str | None
    state: State
    since: datetime


async def lock(tx: Transaction, order_ids: Sequence[int]) -> None:
    """Lock the orders until commit."""
    await tx.execute(SQL["repairs.lock"], list(order_ids))


async def stock(tx: Transaction, order_ids: Sequence[int] | None, grace_seconds: float) -> list[StockSituation]:
    """Return the orders whose stock may be behind, of some orders or of all, unless they changed within the grace."""
    rows = await tx.fetch(SQL["repairs.stock"], order_ids, grace_seconds)
    return [
        StockSituation(
            row["id"],
            row["order_no"],
            State(row["state"]),
            row["paid"],
            DeductOn(row["deduct_on"]),
            row["any_left"],
            HolderState(row["holder"]) if row["holder"] else None,
            row["changed_at"],
        )
        for row in rows
    ]


async def restocks(tx: Transaction, order_ids: Sequence[int]) -> dict[Restock, tuple[RestockLine, ...]]:
    """Return the restocks that the orders call for and the ledger lacks, with their units."""
    found: dict[Restock, tuple[RestockLine, ...]] = {}
    for row in await tx.fetch(SQL["repairs.restocks"], list(order_ids)):
        place = {"sku_id": row["sku_id"], "warehouse": row["warehouse"]}
        line = RestockLine(**place, qty=row["qty"], disposition=row["op"])
        key = row["order_id"], row["ref"]
        found[key] = (*found.get(key, ()), line)
    return found


async def timers(
    tx: Transaction,
    order_ids: Sequence[int] | None,
    *,
    saga_deadline_seconds: int,
    receipt_window_seconds: int,
    polled_carriers: Sequence[str],
) -> list[MissingTimer]:
    """Return the timers that are missing, of some orders or of all."""
    rows = await tx.fetch(
        SQL["repairs.timers"], order_ids, saga_deadline_seconds, receipt_window_seconds, polled_carriers
    )
    return [
        MissingTimer(
            row["order_id"],
            row["order_no"],
            State(row["state"]),
            Timer(TimerKind(row["kind"]), row["key"], row["due_at"]),
        )
        for row in rows
    ]


async def groups(tx: Transaction, order_ids: Sequence[int] | None, grace_seconds: float) -> list[BehindGroup]:
    """Return the orders that are behind their groups, of some orders or of all, unless one changed within the grace."""
    rows = await tx.fetch(SQL["repairs.groups"], order_ids, grace_seconds)
    enums = ({"group_state": GroupState(row["group_state"]), "state": State(row["state"])} for row in rows)
    return [BehindGroup(**dict(row) | both) for row, both in zip(rows, enums, strict=True)]


async def record(tx: Transaction, rows: Iterable[tuple[int, str, str | None]], *, note: str, reason: str) -> None:
    """Record (order id, what was owed, message id or None for a timer), with who announced it again and why."""
    given = list(rows)
    if given:
        await tx.execute(SQL["repairs.record"], *columns(given), note, reason)
