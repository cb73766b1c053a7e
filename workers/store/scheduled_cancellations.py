"""Scheduled cancellations, one row for each order that has one. Its timer (`cancellation`) has the same time."""

from collections.abc import Collection, Iterable

from db.pool import Transaction
from db.statements import SQL, columns
from workers.domain.book import Who
from workers.domain.scheduled_cancellations import ScheduledCancellation
from workers.store import timers
from workers.store.timers import Timer, TimerKind


async def read(tx: Transaction, order_ids: Iterable[int]) -> dict[int, ScheduledCancellation]:
    """Order id -> its scheduled cancellation. The caller has locked the orders."""
    wanted = sorted(set(order_ids))
    rows = await tx.fetch(SQL["scheduled_cancellations.read"], wanted) if wanted else []
    return {
        row["order_id"]: ScheduledCancellation(
            row["order_id"],
            row["at"],
            Who(row["actor_type"], row["actor_id"]),
            row["unpaid"],
            row["scheduled_at"],
            row["reason_code"],
        )
        for row in rows
    }


async def change(tx: Transaction, *, saved: Collection[ScheduledCancellation], ended: Collection[int]) -> None:
    """Schedule some cancellations and end others, with their timers."""
    if saved:
        rows = [
            (one.order_id, one.at, one.who.type, one.who.id, one.unpaid, one.reason_code, one.scheduled_at)
            for one in saved
        ]
        await tx.execute(SQL["scheduled_cancellations.save"], *columns(rows))
    if ended:
        await tx.execute(SQL["scheduled_cancellations.end"], sorted(ended))
    await timers.change(
        tx,
        stopped=[(TimerKind.CANCELLATION, key) for key in ended],
        started=[Timer(TimerKind.CANCELLATION, one.order_id, one.at) for one in saved],
    )
