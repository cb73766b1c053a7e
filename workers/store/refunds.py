"""Refunds, one row per order and cause, and the timers that poll for their end."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from db.pool import Transaction
from db.statements import SQL, columns
from messages.envelope import Envelope
from workers.domain.payment_authorizations import void_unwanted
from workers.domain.refund_amounts import CaptureShare, RefundLine, RefundState
from workers.store import ids, payment_authorizations

FIRST_POLL = timedelta(seconds=60)
"""By then the provider has answered the request for the refund."""


DrawnOn: TypeAlias = tuple[int, str, str]
"""(order id, provider, trade number): the refunds with the same three share what can go back."""


@dataclass(frozen=True)
class RefundDue:
    """Money that must go back: why (unique per order), from which capture, and for which lines.

    `stray` money was never kept for the order: a late, second or wrong capture. `replaces` is the number of the failed
    refund whose money this one gives back. `state` is released or deferred if the money is only authorised. `case_id`
    is the after-sale case that follows the refund.
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
    reason_code: str | None = None
    lines: tuple[RefundLine, ...] = ()
    stray: bool = False
    replaces: str | None = None
    state: RefundState = RefundState.REQUESTED
    case_id: int | None = None


@dataclass(frozen=True)
class RefundRow:
    """A refund as its row holds it, and what its order may give back of the capture that it draws on.

    `replaced_by` is the number of the refund that gives back its money, if it failed and another took its place.
    """

    id: int
    refund_no: str
    order_id: int
    provider: str
    trade_no: str
    cause: str
    amount: int
    currency: str
    state: RefundState
    share: CaptureShare
    intent_id: int | None = None
    replaced_by: str | None = None
    case_id: int | None = None
    finished_at: datetime | None = None

    @property
    def draws_on(self) -> DrawnOn:
        return self.order_id, self.provider, self.trade_no


@dataclass(frozen=True)
class RefundEnd:
    """The newest state of a refund. `excess_amount` is the part that is above its capture.

    It is `unexpected` if the provider had reported before that the refund failed, and nobody requested it again.
    """

    refund_no: str
    state: RefundState
    reason_code: str | None = None
    excess_amount: int = 0
    unexpected: bool = False


@dataclass(frozen=True)
class OpenedRefund:
    """A refund that was opened. `through_us`: its capture came through an attempt of ours, so we call the provider.

    `voids` is the attempt whose authorisation must be voided, because with this part nothing of it is wanted any more.
    """

    due: RefundDue
    id: int
    through_us: bool = False
    voids: int | None = None

    @property
    def refund_no(self) -> str:
        """Our own number: letters and digits, which every provider accepts."""
        return f"R{self.id}"


CaptureKey: TypeAlias = tuple[str, str]
"""(provider, trade number)"""
ForeignKey: TypeAlias = tuple[str, str, str]
"""(provider, trade number, the provider's number of the refund): unique for refunds that providers made themselves."""


@dataclass(frozen=True)
class CapturedFor:
    """A capture, and what each order that it pays may give back of it, by order id."""

    intent_id: int | None
    currency: str
    shares: dict[int, CaptureShare]


@dataclass(frozen=True)
class ForeignRefundPart:
    """One order's part of a refund that a provider made by itself. `excess_amount` of it is above the order's share."""

    order_id: int
    root_id: int
    user_id: str
    cause: str
    intent_id: int | None
    provider: str
    trade_no: str
    provider_no: str
    amount: int
    excess_amount: int
    currency: str
    occurred_at: datetime
    because: Envelope[Any]
    reason_code: str | None = None


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
    voids = await _void_unwanted(tx, opened)
    return [replace(o, through_us=o.id in polled, voids=voids.get(o.id)) for o in opened]


async def _void_unwanted(tx: Transaction, opened: Sequence[OpenedRefund]) -> dict[int, int]:
    """Begin to void authorisations of which nothing is wanted any more: id of the last part -> attempt id."""
    last = {o.due.root_id: o.id for o in opened if o.due.state is RefundState.RELEASED}
    found = await payment_authorizations.kept(tx, last)
    voided = {root_id: after for root_id, one in found.items() if (after := void_unwanted(one)) is not None}
    await payment_authorizations.save(tx, list(voided.values()))
    await payment_authorizations.poll(tx, [one.attempt_id for one in voided.values()])
    return {last[root_id]: one.attempt_id for root_id, one in voided.items()}


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
        due.reason_code,
        due.replaces,
        due.state,
        due.case_id,
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
    return {row["refund_no"]: _refund(dict(row)) for row in rows}


def _refund(row: dict[str, Any]) -> RefundRow:
    share = CaptureShare(row.pop("part"), row.pop("gone"), row.pop("pending"))
    return RefundRow(**row | {"state": RefundState(row["state"])}, share=share)


async def captured_for(tx: Transaction, captures: Iterable[CaptureKey]) -> dict[CaptureKey, CapturedFor]:
    """(provider, trade number) -> the orders that may give back some of the capture. Unknown captures are missing."""
    wanted = sorted(set(captures))
    found: dict[CaptureKey, CapturedFor] = {}
    for row in await tx.fetch(SQL["refunds.captured_for"], *columns(wanted)) if wanted else []:
        key = row["provider"], row["trade_no"]
        capture = found.setdefault(key, CapturedFor(row["intent_id"], row["currency"], {}))
        capture.shares[row["order_id"]] = CaptureShare(row["part"], row["gone"], row["pending"])
    return found


async def payers(tx: Transaction, captures: Iterable[CaptureKey]) -> set[int]:
    """Return the ids of the orders that may give back some of these captures: lock them before you read more."""
    found = await captured_for(tx, captures)
    return {order_id for capture in found.values() for order_id in capture.shares}


async def foreign(tx: Transaction, keys: Iterable[ForeignKey]) -> dict[ForeignKey, tuple[int, str]]:
    """Key -> (amount, currency) of those refunds that are in the books already; their orders are locked."""
    wanted = sorted(set(keys))
    rows = await tx.fetch(SQL["refunds.foreign"], *columns(wanted)) if wanted else []
    return {(r["provider"], r["trade_no"], r["provider_no"]): (r["amount"], r["currency"]) for r in rows}


async def take_in(tx: Transaction, dues: Sequence[ForeignRefundPart]) -> list[tuple[ForeignRefundPart, str]]:
    """Write refunds that providers made by themselves. Returns each with our number of it."""
    new_ids = await ids.take(tx, [due.user_id for due in dues])
    rows = [_foreign_row(due, key, f"R{key}") for due, key in zip(dues, new_ids, strict=True)]
    if rows:
        await tx.execute(SQL["refunds.take_in"], *columns(rows))
    return [(due, refund_no) for due, (_, refund_no, *_) in zip(dues, rows, strict=True)]


def _foreign_row(due: ForeignRefundPart, key: int, refund_no: str) -> tuple[Any, ...]:
    return (
        key,
        refund_no,
        due.order_id,
        due.intent_id,
        due.provider,
        due.trade_no,
        due.cause,
        due.amount,
        due.currency,
        due.reason_code,
        RefundState.EXCESS if due.excess_amount else RefundState.SUCCEEDED,
        due.excess_amount,
        due.provider_no,
        due.occurred_at,
    )


async def reopen(tx: Transaction, refund_nos: Sequence[str]) -> None:
    """Set these failed refunds to requested again."""
    if refund_nos:
        await tx.execute(SQL["refunds.reopen"], list(refund_nos))


async def backlog(tx: Transaction) -> tuple[int, float, int]:
    """Return how many refunds have no end yet (counted up to 100,000), the age of the oldest in seconds, and how many
    are in excess.
    """
    row = await tx.fetchrow(SQL["refunds.backlog"])
    assert row is not None
    return row["running"], row["oldest_seconds"], row["excess"]


async def in_excess(tx: Transaction, limit: int) -> list[dict[str, Any]]:
    """Return the refunds above their captures as rows, the oldest first, at most `limit`."""
    return [dict(row) for row in await tx.fetch(SQL["refunds.in_excess"], limit)]


async def finish(tx: Transaction, ends: Sequence[RefundEnd]) -> None:
    """Write each refund's newest state; a success is final."""
    if ends:
        rows = [(end.refund_no, end.state, end.reason_code, end.excess_amount, end.unexpected) for end in ends]
        await tx.execute(SQL["refunds.finish"], *columns(rows))
