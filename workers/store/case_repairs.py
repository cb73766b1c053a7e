"""Cases that are behind their refunds, exchange orders, parcels or timers, and disputes without their timer."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args

from db.pool import Transaction
from db.statements import SQL
from workers.domain.after_sales import CaseState
from workers.domain.order import State

RefundNews = Literal["requested", "succeeded", "failed", "captured"]
ExchangeNews = Literal["reserved", "paid", "delivered", "rejected", "cancelled"]
Decision = Literal["send", "end"]
DECISIONS: tuple[Decision, ...] = get_args(Decision)
ParcelNews = Literal["on_its_way", "arrived", "failed"]


@dataclass(frozen=True)
class BehindOrder:
    """The order of a case or a dispute that is behind, and since when."""

    id: int
    order_no: str | None
    state: State
    since: datetime


@dataclass(frozen=True)
class UnknownRefund:
    """News of a refund that its case lacks."""

    order: BehindOrder
    case_id: int
    state: CaseState
    refund_no: str
    news: RefundNews


@dataclass(frozen=True)
class UnknownExchange:
    """News of an exchange order that its case lacks. `state` is how far that order is, as its case knows it."""

    order: BehindOrder
    exchange_order_id: int
    state: str
    news: ExchangeNews


@dataclass(frozen=True)
class UndecidedExchange:
    """An exchange order that waits, and what its case has decided about it."""

    order: BehindOrder
    exchange_order_id: int
    state: str
    decision: Decision


@dataclass(frozen=True)
class UnknownParcel:
    """News of a parcel that the cases of an order lack. `alone`: no case is about it, and one may have to be opened."""

    order: BehindOrder
    shipment_id: int
    case_id: int | None
    carrier: str
    tracking_no: str
    outcome: ParcelNews
    alone: bool
    units: dict[int, int]


@dataclass(frozen=True)
class UntimedCase:
    """A case that waits without a timer."""

    order: BehindOrder
    case_id: int
    state: CaseState


@dataclass(frozen=True)
class UntimedDispute:
    """A dispute of which people are to be reminded, without a timer."""

    order: BehindOrder
    dispute_id: int
    remind_at: datetime


def _order(row: Any, since: str = "since") -> BehindOrder:
    return BehindOrder(row["order_id"], row["order_no"], State(row["order_state"]), row[since])


async def refunds(tx: Transaction, order_ids: Sequence[int] | None, grace_seconds: float) -> list[UnknownRefund]:
    """Return the refunds that their cases do not follow, of some orders or of all."""
    rows = await tx.fetch(SQL["case_repairs.refunds"], order_ids, grace_seconds)
    return [
        UnknownRefund(_order(row), row["case_id"], CaseState(row["state"]), row["refund_no"], row["news"])
        for row in rows
    ]


async def exchanges(
    tx: Transaction, order_ids: Sequence[int] | None, grace_seconds: float
) -> list[UnknownExchange | UndecidedExchange]:
    """Return the exchange orders that their cases do not follow, or that do not know what their cases decided."""
    found: list[UnknownExchange | UndecidedExchange] = []
    for row in await tx.fetch(SQL["case_repairs.exchanges"], order_ids, grace_seconds):
        about = _order(row), row["exchange_order_id"], row["state"]
        decides = row["news"] in DECISIONS
        found.append(UndecidedExchange(*about, row["news"]) if decides else UnknownExchange(*about, row["news"]))
    return found


async def parcels(tx: Transaction, order_ids: Sequence[int] | None, grace_seconds: float) -> list[UnknownParcel]:
    """Return the parcels that the cases of their orders do not follow."""
    rows = await tx.fetch(SQL["case_repairs.parcels"], order_ids, grace_seconds)
    return [
        UnknownParcel(
            _order(row),
            row["shipment_id"],
            row["case_id"],
            row["carrier"],
            row["tracking_no"],
            row["outcome"],
            row["alone"],
            dict(zip(row["line_nos"], row["qtys"], strict=True)),
        )
        for row in rows
    ]


async def cases(tx: Transaction, order_ids: Sequence[int] | None) -> list[UntimedCase]:
    """Return the cases that wait without a timer."""
    rows = await tx.fetch(SQL["case_repairs.timers"], order_ids)
    return [UntimedCase(_order(row), row["case_id"], CaseState(row["state"])) for row in rows]


async def disputes(tx: Transaction, order_ids: Sequence[int] | None) -> list[UntimedDispute]:
    """Return the disputes of which people are to be reminded, without a timer."""
    rows = await tx.fetch(SQL["case_repairs.dispute_timers"], order_ids)
    return [UntimedDispute(_order(row, "remind_at"), row["dispute_id"], row["remind_at"]) for row in rows]
