"""Buyers' disputes at providers, one row each, and the refunds that a won one takes back."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from db.pool import Transaction
from db.statements import SQL, columns
from messages.payments import DisputeObserved
from workers.domain.refund_amounts import RefundState

DisputeKey: TypeAlias = tuple[str, str]
"""(provider, the provider's number of the dispute)"""


@dataclass(frozen=True)
class StoredDispute:
    """The newest state of a dispute that is recorded."""

    state: str
    amount: int
    currency: str
    occurred_at: datetime


@dataclass(frozen=True)
class GoneRefund:
    """A refund that succeeded, with the part that is above its order's share of the capture."""

    id: int
    refund_no: str
    order_id: int
    provider: str
    trade_no: str
    cause: str
    amount: int
    excess_amount: int
    currency: str


async def read(tx: Transaction, keys: Iterable[DisputeKey]) -> dict[DisputeKey, StoredDispute]:
    """Return the disputes that are recorded; others are missing."""
    wanted = sorted(set(keys))
    rows = await tx.fetch(SQL["disputes.read"], *columns(wanted)) if wanted else []
    return {(row["provider"], row["dispute_no"]): StoredDispute(*tuple(row)[2:]) for row in rows}


async def save(tx: Transaction, newest: Sequence[DisputeObserved]) -> None:
    """Write the newest state of each dispute."""
    if newest:
        rows = [
            (d.provider, d.dispute_no, d.trade_no, d.state, d.amount, d.currency, d.reason_code, d.occurred_at)
            for d in newest
        ]
        await tx.execute(SQL["disputes.save"], *columns(rows))


async def gone(tx: Transaction, captures: Iterable[tuple[str, str]]) -> list[GoneRefund]:
    """Return the refunds of these captures (provider, trade number) that succeeded, the oldest first."""
    wanted = sorted(set(captures))
    return [GoneRefund(*row) for row in await tx.fetch(SQL["disputes.gone"], *columns(wanted))] if wanted else []


async def recount(tx: Transaction, newest: Mapping[int, tuple[RefundState, int]]) -> None:
    """Write the new state and excess of refunds, by id."""
    if newest:
        rows = [(key, state, excess) for key, (state, excess) in sorted(newest.items())]
        await tx.execute(SQL["disputes.recount"], *columns(rows))
