"""Refunds, one row per order and cause, and the timers that poll for their end."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from db.pool import Transaction
from db.statements import SQL, columns
from messages.envelope import Envelope
from messages.refunds import RefundObserved, RefundResult
from workers.domain.refund_amounts import RefundLine, RefundState
from workers.store import ids

FIRST_POLL = timedelta(seconds=60)
"""By then the provider has answered the request for the refund."""


@dataclass(frozen=True)
class RefundDue:
    """Money that must go back: why (unique per order), from which capture, and for which lines.

    `stray` money was never kept for the order: a late, second or wrong capture.
    """

    order_id: int
    root_id: int
    user_id: str
    cause: str
    intent_id: int | None
    provider: str
    trade_no: str
    amount: int
    currency: str
    because: Envelope[Any]
    reason: str | None = None
    lines: tuple[RefundLine, ...] = ()
    stray: bool = False


@dataclass(frozen=True)
class RefundRow:
    """A refund as its row holds it."""

    id: int
    refund_no: str
    order_id: int
    provider: str
    trade_no: str
    cause: str
    amount: int
    currency: str
    state: RefundState


@dataclass(frozen=True)
class OpenedRefund:
    """A refund that was opened. `through_us`: its capture came through an attempt of ours, so we call the provider."""

    due: RefundDue
    id: int
    through_us: bool = False

    @property
    def refund_no(self) -> str:
        """Our own number: letters and digits, which every provider accepts."""
        return f"R{self.id}"


async def open_all(tx: Transaction, dues: Sequence[RefundDue]) -> list[OpenedRefund]:
    """Write the refunds and start the timers that poll for their end. Refunds of nothing are left out.

    If a cause was refunded before, which is impossible, the statement fails. Save the attempts of their captures
    before, because `watch` reads them.
    """
    owed = [due for due in dues if due.amount > 0]
    if not owed:
        return []
    opened = [
        OpenedRefund(due, key) for due, key in zip(owed, await ids.take(tx, [d.user_id for d in owed]), strict=True)
    ]
    await tx.execute(SQL["refunds.open"], *columns(_row(refund) for refund in opened))
    await _insert_lines(tx, opened)
    polled = await watch(tx, [o.id for o in opened])
    return [replace(o, through_us=o.id in polled) for o in opened]


def _row(refund: OpenedRefund) -> tuple[Any, ...]:
    due = refund.due
    return (
        refund.id,
        refund.refund_no,
        due.order_id,
        due.intent_id,
        due.provider,
        due.trade_no,
        due.cause,
        due.amount,
        due.currency,
        due.reason,
    )


async def watch(tx: Transaction, refund_ids: Sequence[int]) -> set[int]:
    """Start a poll timer for each of these refunds of a capture that an attempt of ours made. Returns their ids."""
    if not refund_ids:
        return set()
    return {row["key"] for row in await tx.fetch(SQL["refunds.watch"], sorted(refund_ids), FIRST_POLL)}


async def _insert_lines(tx: Transaction, opened: Sequence[OpenedRefund]) -> None:
    rows = [(o.id, o.due.order_id, line.line_no, line.qty, line.amount) for o in opened for line in o.due.lines]
    if rows:
        await tx.execute(SQL["refunds.insert_lines"], *columns(rows))


async def orders_of(tx: Transaction, refund_nos: Iterable[str]) -> dict[str, int]:
    """Refund number -> order id; unknown numbers are missing."""
    rows = await tx.fetch(SQL["refunds.orders_of"], sorted(set(refund_nos)))
    return {row["refund_no"]: row["order_id"] for row in rows}


async def read(tx: Transaction, refund_nos: Iterable[str]) -> dict[str, RefundRow]:
    """Refund number -> refund; the orders are locked."""
    rows = await tx.fetch(SQL["refunds.read"], sorted(set(refund_nos)))
    return {row["refund_no"]: RefundRow(**dict(row) | {"state": RefundState(row["state"])}) for row in rows}


async def reopen(tx: Transaction, refund_nos: Sequence[str]) -> None:
    """Set these failed refunds to requested again."""
    if refund_nos:
        await tx.execute(SQL["refunds.reopen"], list(refund_nos))


async def backlog(tx: Transaction) -> tuple[int, float]:
    """Return how many refunds have no end yet (counted up to 100,000), and the age of the oldest in seconds."""
    row = await tx.fetchrow(SQL["refunds.backlog"])
    assert row is not None
    return row["running"], row["oldest_seconds"]


async def finish(tx: Transaction, results: Sequence[RefundResult | RefundObserved]) -> None:
    """Write each refund's newest state; a success is final."""
    if results:
        rows = [(result.refund_no, result.status, result.reason) for result in results]
        await tx.execute(SQL["refunds.finish"], *columns(rows))
