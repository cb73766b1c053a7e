"""Timers. The row is the truth; the broker's delay exchange or the sweeper only sends timer.due for it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from db.pool import Transaction
from db.statements import SQL, columns


class TimerKind(StrEnum):
    """The deadline that a timer watches; its key is the id of what waits: an order, a refund, a case ..."""

    SAGA = "saga"
    PAYMENT = "payment"
    RECEIPT = "receipt"
    ATTEMPT = "attempt"
    REFUND = "refund"
    SHORTAGE = "shortage"
    CANCELLING = "cancelling"
    WAYBILL = "waybill"
    AUTHORIZATION = "authorization"
    AFTER_SALE = "after_sale"
    DISPUTE = "dispute"
    CANCELLATION = "cancellation"
    GROUP = "group"


Key = tuple[TimerKind, int]
"""(kind, id of the order, attempt, refund, waybill, case, dispute or group)"""
BROKER_GRACE = timedelta(seconds=5)
"""How long after `due_at` the sweeper leaves a timer to the delay exchange before it sends timer.due itself."""
RECENT_SECONDS = 90.0
"""The sweeper looks for timers that became due within this time, and now and then for all that are due.

A scan of all would pass the dead entries of every timer that ever ran, which an old transaction keeps in the index:
54 ms for 600,000 of them, each second.
"""
WHOLE_LOOK_SECONDS = 30.0  # between two looks for all; far below RECENT_SECONDS, so no timer is missed between them
EVER_SECONDS = 100 * 365 * 86_400.0
SWEEP_MAX_TIMERS = 1000  # per second and process: one transaction announces so many within some tenths of a second


@dataclass(frozen=True)
class Timer:
    """A timer that is due once. `by_broker`: a delayed message is on its way; the sweeper only replaces a lost one."""

    kind: TimerKind
    key: int
    due_at: datetime
    by_broker: bool = False

    @property
    def wake_at(self) -> datetime:
        return self.due_at + BROKER_GRACE if self.by_broker else self.due_at


async def start(tx: Transaction, timers: Sequence[Timer]) -> None:
    """Start timers. A timer that runs already gets the new time."""
    if timers:
        await tx.execute(
            SQL["timers.start"], *columns((timer.kind, timer.key, timer.due_at, timer.wake_at) for timer in timers)
        )


async def stop(tx: Transaction, keys: Iterable[Key]) -> None:
    """Stop timers. A timer that does not run is no error."""
    given = sorted(set(keys))
    if given:
        await tx.execute(SQL["timers.stop"], *columns(given))


async def change(tx: Transaction, *, stopped: Iterable[Key], started: Sequence[Timer]) -> None:
    """Stop some timers and start others, in one statement."""
    ended = sorted(set(stopped) - {(timer.kind, timer.key) for timer in started})  # one that is started anew is there
    if not (ended and started):
        await stop(tx, ended)
        await start(tx, started)
        return
    rows = [(timer.kind, timer.key, timer.due_at, timer.wake_at) for timer in started]
    await tx.execute(SQL["timers.change"], *columns(ended), *columns(rows))


async def read(tx: Transaction, keys: Iterable[Key]) -> dict[Key, datetime]:
    """(kind, key) -> when the timer is due. Timers that do not run are missing."""
    given = sorted(set(keys))
    rows = await tx.fetch(SQL["timers.read"], *columns(given)) if given else []
    return {(TimerKind(row["kind"]), row["key"]): row["due_at"] for row in rows}


async def sweep(tx: Transaction, back_seconds: float = EVER_SECONDS) -> list[Timer]:
    """Take the timers that became due within these seconds, and schedule when to send timer.due again for each."""
    rows = await tx.fetch(SQL["timers.sweep"], SWEEP_MAX_TIMERS, back_seconds)
    return [Timer(TimerKind(row["kind"]), row["key"], row["due_at"]) for row in rows]


async def postpone(tx: Transaction, keys: Iterable[Key], until: datetime) -> None:
    """Send timer.due for these timers again at `until`."""
    given = sorted(set(keys))
    if given:
        await tx.execute(SQL["timers.postpone"], *columns(given), until)


async def back_off(tx: Transaction, keys: Iterable[Key]) -> None:
    """Send timer.due for these timers again after a minute, or longer if they have been due for long."""
    given = sorted(set(keys))
    if given:
        await tx.execute(SQL["timers.back_off"], *columns(given))


async def payment_waiting(tx: Transaction) -> datetime | None:
    """Return the database's time if the timer of a payment or a group waits for payment results; else None."""
    row = await tx.fetchrow(SQL["timers.payment_due"], RECENT_SECONDS)
    assert row is not None
    now: datetime = row["now"]
    return now if row["waiting"] else None


async def progress(tx: Transaction) -> datetime:
    """Return the time up to which payment results have been handled."""
    at: datetime = await tx.fetchval(SQL["timers.progress"])
    return at


async def backlog(tx: Transaction) -> tuple[int, float]:
    """Return (number of timers that run, seconds by which the sweeper is late)."""
    row = await tx.fetchrow(SQL["timers.backlog"])
    assert row is not None
    return row["running"], row["lag_seconds"] or 0.0


async def set_progress(tx: Transaction, at: datetime | None) -> None:
    """Record that every payment result published before `at` is handled."""
    if at is not None:
        await tx.execute(SQL["timers.set_progress"], at)
