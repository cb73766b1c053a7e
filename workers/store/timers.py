"""Timers: truth in the database, woken by the broker's delay exchange or by the sweeper."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from db.pool import Transaction
from db.statements import SQL


class TimerKind(StrEnum):
    """The deadline that a timer watches; its key is an order's, an attempt's or a refund's id."""

    SAGA = "saga"
    PAYMENT = "payment"
    RECEIPT = "receipt"
    ATTEMPT = "attempt"
    REFUND = "refund"


Key = tuple[TimerKind, int]
"""(kind, id of the order, attempt or refund)"""
BROKER_GRACE = timedelta(seconds=5)
"""How long the sweeper waits for the delay exchange before it wakes a timer itself."""
SWEEP_MAX_TIMERS = 1000  # per second and process: what one transaction announces comfortably


@dataclass(frozen=True)
class Timer:
    """Due once; `by_broker` when a delayed message is on its way, so that the sweeper is only the net."""

    kind: TimerKind
    key: int
    due_at: datetime
    by_broker: bool = False

    @property
    def wake_at(self) -> datetime:
        return self.due_at + BROKER_GRACE if self.by_broker else self.due_at


async def start(tx: Transaction, timers: Sequence[Timer]) -> None:
    """Start timers; one that runs already is set anew."""
    if timers:
        await tx.execute(
            SQL["timers.start"],
            [t.kind for t in timers],
            [t.key for t in timers],
            [t.due_at for t in timers],
            [t.wake_at for t in timers],
        )


async def stop(tx: Transaction, keys: Iterable[Key]) -> None:
    """Stop timers; those that are gone already are no error."""
    given = sorted(set(keys))
    if given:
        await tx.execute(SQL["timers.stop"], [kind for kind, _ in given], [key for _, key in given])


async def read(tx: Transaction, keys: Iterable[Key]) -> dict[Key, datetime]:
    """(kind, key) -> due; timers that are gone are missing."""
    given = sorted(set(keys))
    rows = await tx.fetch(SQL["timers.read"], [kind for kind, _ in given], [key for _, key in given])
    return {(TimerKind(row["kind"]), row["key"]): row["due_at"] for row in rows}


async def sweep(tx: Transaction) -> list[Timer]:
    """Take what is due for waking, and put its next waking off."""
    rows = await tx.fetch(SQL["timers.sweep"], SWEEP_MAX_TIMERS)
    return [Timer(TimerKind(row["kind"]), row["key"], row["due_at"]) for row in rows]


async def postpone(tx: Transaction, keys: Iterable[Key], until: datetime) -> None:
    """Look at these again at `until`."""
    given = sorted(set(keys))
    if given:
        await tx.execute(SQL["timers.postpone"], [kind for kind, _ in given], [key for _, key in given], until)


async def put_off(tx: Transaction, keys: Iterable[Key]) -> None:
    """Look at these again in a minute, or the later the longer they have been due."""
    given = sorted(set(keys))
    if given:
        await tx.execute(SQL["timers.put_off"], [kind for kind, _ in given], [key for _, key in given])


async def payment_waiting(tx: Transaction) -> datetime | None:
    """The database clock, when a due payment timer waits for payment results to catch up; else None."""
    row = await tx.fetchrow(SQL["timers.payment_due"])
    assert row is not None
    now: datetime = row["now"]
    return now if row["waiting"] else None


async def progress(tx: Transaction) -> datetime:
    """How far payment results have been settled."""
    at: datetime = await tx.fetchval(SQL["timers.progress"])
    return at


async def backlog(tx: Transaction) -> tuple[int, float]:
    """(timers that run, seconds that the sweeper is late)."""
    row = await tx.fetchrow(SQL["timers.backlog"])
    assert row is not None
    return row["running"], row["lag_seconds"] or 0.0


async def set_progress(tx: Transaction, at: datetime | None) -> None:
    """Payment results published before `at` are settled."""
    if at is not None:
        await tx.execute(SQL["timers.set_progress"], at)
