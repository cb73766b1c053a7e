"""Refunds: one row per cause, and one event that asks the shop's payment service for it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import outbox
from db.pool import Transaction
from db.statements import SQL
from messages.envelope import Envelope
from messages.providers import ProviderRefund
from messages.refunds import RefundObserved, RefundRequested, RefundResult
from workers.domain.order import Order
from workers.domain.refund_amounts import RefundLine
from workers.store import ids
from workers.store.payments import Kept

FIRST_ASK = timedelta(seconds=60)
"""By then the provider was asked for the refund, and has answered."""


@dataclass(frozen=True)
class Due:
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
class Refund:
    """A refund as its row holds it."""

    id: int
    refund_no: str
    order_id: int
    provider: str
    trade_no: str
    cause: str
    amount: int
    currency: str
    state: str


@dataclass(frozen=True)
class Opened:
    """A refund that was opened, under the number that the provider sees.

    `ours` where the capture came through an attempt of ours: then we ask the provider for it.
    """

    due: Due
    id: int
    ours: bool = False

    @property
    def refund_no(self) -> str:
        """Our own number: letters and digits, which every provider accepts."""
        return f"R{self.id}"

    def event(self) -> RefundRequested:
        """What asks for the money."""
        due = self.due
        return RefundRequested(
            order_id=due.order_id,
            refund_no=self.refund_no,
            provider=due.provider,
            trade_no=due.trade_no,
            amount=due.amount,
            currency=due.currency,
            cause=due.cause,
        )


def of(
    order: Order,
    capture: Kept,
    cause: str,
    amount: int,
    *,
    because: Envelope[Any],
    reason: str | None = None,
    lines: Sequence[RefundLine] = (),
) -> Due:
    """Some of what the order keeps goes back."""
    return Due(
        order_id=order.id,
        root_id=order.root_id,
        user_id=order.user_id,
        cause=cause,
        intent_id=capture.intent_id,
        provider=capture.provider,
        trade_no=capture.trade_no,
        amount=amount,
        currency=capture.currency,
        because=because,
        reason=reason,
        lines=tuple(lines),
    )


async def open_all(tx: Transaction, dues: Sequence[Due]) -> list[Opened]:
    """Write the refunds, and see to it that somebody asks how they end. Refunds of nothing are left out; a cause that
    was refunded before is an impossible state. What the attempts of their captures became is written before.
    """
    owed = [due for due in dues if due.amount > 0]
    if not owed:
        return []
    opened = [Opened(due, key) for due, key in zip(owed, await ids.take(tx, [d.user_id for d in owed]), strict=True)]
    await tx.execute(
        SQL["refunds.open"],
        [o.id for o in opened],
        [o.refund_no for o in opened],
        [o.due.order_id for o in opened],
        [o.due.intent_id for o in opened],
        [o.due.provider for o in opened],
        [o.due.trade_no for o in opened],
        [o.due.cause for o in opened],
        [o.due.amount for o in opened],
        [o.due.currency for o in opened],
        [o.due.reason for o in opened],
    )
    await _insert_lines(tx, opened)
    ours = await watch(tx, [o.id for o in opened])
    return [replace(o, ours=o.id in ours) for o in opened]


async def watch(tx: Transaction, refund_ids: Sequence[int]) -> set[int]:
    """The refunds of captures that came through attempts of ours; how they end is asked, should nobody say it."""
    if not refund_ids:
        return set()
    return {row["key"] for row in await tx.fetch(SQL["refunds.watch"], sorted(refund_ids), FIRST_ASK)}


async def _insert_lines(tx: Transaction, opened: Sequence[Opened]) -> None:
    lines = [(o.id, o.due.order_id, line) for o in opened for line in o.due.lines]
    if lines:
        await tx.execute(
            SQL["refunds.insert_lines"],
            [refund_id for refund_id, _, _ in lines],
            [order_id for _, order_id, _ in lines],
            [line.line_no for _, _, line in lines],
            [line.qty for _, _, line in lines],
            [line.amount for _, _, line in lines],
        )


def announcements(opened: Sequence[Opened]) -> list[outbox.Announcement]:
    """refund.requested for each, in its order's stream; and provider.refund where the capture came through us."""
    events = [outbox.event(o.event(), because=o.due.because, stream=o.due.root_id) for o in opened]
    return [*events, *(call(o.due.provider, o.refund_no, o.due.because) for o in opened if o.ours)]


def call(provider: str, refund_no: str, because: Envelope[Any]) -> outbox.Announcement:
    """What is asked of a provider that we speak with; a shop's payment service acts on refund.requested instead."""
    return outbox.to_queue(ProviderRefund(refund_no=refund_no), queue=call_queue(provider), because=because)


def call_queue(provider: str) -> str:
    """Where calls of a provider wait."""
    return f"provider-calls.{provider}"


async def orders_of(tx: Transaction, refund_nos: Iterable[str]) -> dict[str, int]:
    """Refund number -> order id; unknown numbers are missing."""
    rows = await tx.fetch(SQL["refunds.orders_of"], sorted(set(refund_nos)))
    return {row["refund_no"]: row["order_id"] for row in rows}


async def read(tx: Transaction, refund_nos: Iterable[str]) -> dict[str, Refund]:
    """Refund number -> refund; the orders are locked."""
    rows = await tx.fetch(SQL["refunds.read"], sorted(set(refund_nos)))
    return {row["refund_no"]: Refund(*row) for row in rows}


async def reopen(tx: Transaction, refund_nos: Sequence[str]) -> None:
    """Failed refunds that are asked for again."""
    if refund_nos:
        await tx.execute(SQL["refunds.reopen"], list(refund_nos))


async def backlog(tx: Transaction) -> tuple[int, float]:
    """How many have no end yet (counted up to 100,000), and the age of the oldest in seconds."""
    row = await tx.fetchrow(SQL["refunds.backlog"])
    assert row is not None
    return row["running"], row["oldest_seconds"]


async def finish(tx: Transaction, results: Sequence[RefundResult | RefundObserved]) -> None:
    """Write each refund's newest state; a success is final."""
    if results:
        await tx.execute(
            SQL["refunds.finish"],
            [r.refund_no for r in results],
            [r.status for r in results],
            [r.reason for r in results],
        )
