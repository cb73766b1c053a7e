"""Holds of orders, one row each. The column `orders.held` is true while an order has an open one."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from db.pool import Transaction
from db.statements import SQL, columns
from workers.domain.book import Who
from workers.domain.holds import HoldKind, OpenHold


@dataclass(frozen=True)
class PlacedHold:
    """A new hold: its message, its time, and its actor."""

    hold: OpenHold
    message_id: str
    at: datetime
    who: Who


@dataclass(frozen=True)
class HoldEnd:
    """The release of a hold."""

    hold_id: int
    at: datetime
    who: Who
    reason_code: str | None


async def open_of(tx: Transaction, order_ids: Iterable[int]) -> dict[int, list[OpenHold]]:
    """Order id -> its open holds, the oldest first. The caller has locked the orders."""
    wanted = sorted(order_ids)
    found: dict[int, list[OpenHold]] = {}
    for row in await tx.fetch(SQL["holds.open"], wanted) if wanted else ():
        hold = OpenHold(row["id"], row["order_id"], HoldKind(row["kind"]), row["reason_code"], row["held_since"])
        found.setdefault(hold.order_id, []).append(hold)
    return found


async def place(tx: Transaction, placed: Sequence[PlacedHold]) -> None:
    """Insert new holds."""
    if placed:
        await tx.execute(
            SQL["holds.insert"],
            *columns(
                (
                    one.hold.id,
                    one.hold.order_id,
                    one.hold.kind,
                    one.hold.reason_code,
                    one.message_id,
                    one.hold.held_since,
                    one.at,
                    one.who.type,
                    one.who.id,
                )
                for one in placed
            ),
        )


async def release(tx: Transaction, ends: Sequence[HoldEnd]) -> None:
    """Release holds, which must be open."""
    if ends:
        rows = [(end.hold_id, end.at, end.who.type, end.who.id, end.reason_code) for end in ends]
        released = await tx.fetch(SQL["holds.release"], *columns(rows))
        assert len(released) == len(ends), "a hold of a locked order was released by another transaction"


async def count(tx: Transaction) -> dict[str, int]:
    """Reason code -> open holds, most first."""
    return {row["reason_code"]: row["holds"] for row in await tx.fetch(SQL["holds.count"])}
