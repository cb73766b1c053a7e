"""Buyers' disputes at providers, one row each, and the refunds that a won one takes back."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

import orjson

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
    due_at: datetime | None = None
    id: int = 0
    trade_no: str = ""
    submissions: int = 0
    """How often evidence was submitted."""
    given: int = 0
    """How much of that the provider has got."""


@dataclass(frozen=True)
class NewEvidence:
    """The submission `number` of a dispute: 1, 2, 3 ... What was written with it stands under the message's id."""

    dispute: DisputeKey
    number: int
    references: tuple[str, ...]
    message_id: str
    actor_id: str
    to_provider: bool = False


EvidenceKey: TypeAlias = tuple[str, int]
"""(the provider's number of a dispute, which of its submissions)"""


@dataclass(frozen=True)
class EvidenceToGive:
    """A submission that the provider of the capture has not answered. Its text stands under the message's id."""

    trade_no: str
    message_id: str
    submitted_at: datetime


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


async def captures(
    tx: Transaction, keys: Iterable[DisputeKey], ids: Iterable[int]
) -> tuple[dict[DisputeKey, str], dict[int, DisputeKey]]:
    """Return (dispute -> trade number of its capture, id -> dispute) of the disputes that these keys and ids name."""
    named, numbered = sorted(set(keys)), sorted(set(ids))
    if not named and not numbered:
        return {}, {}
    rows = await tx.fetch(SQL["disputes.captures"], *columns(named, 2), numbered)
    found = [(row["id"], (row["provider"], row["dispute_no"]), row["trade_no"]) for row in rows]
    return {key: trade_no for _, key, trade_no in found}, {id_: key for id_, key, _ in found}


async def read(tx: Transaction, keys: Iterable[DisputeKey]) -> dict[DisputeKey, StoredDispute]:
    """Return the disputes that are recorded; others are missing."""
    wanted = sorted(set(keys))
    rows = await tx.fetch(SQL["disputes.read"], *columns(wanted)) if wanted else []
    return {(row["provider"], row["dispute_no"]): StoredDispute(*tuple(row)[2:]) for row in rows}


async def save(
    tx: Transaction, newest: Sequence[DisputeObserved], reminders: Mapping[DisputeKey, datetime]
) -> dict[DisputeKey, int]:
    """Write the newest state of each dispute, and when people are to be reminded of it, if so. Returns their ids."""
    found = []
    if newest:
        rows = [
            (
                d.provider,
                d.dispute_no,
                d.trade_no,
                d.state,
                d.amount,
                d.currency,
                d.reason_code,
                d.occurred_at,
                d.due_at,
                reminders.get((d.provider, d.dispute_no)),
            )
            for d in newest
        ]
        found = await tx.fetch(SQL["disputes.save"], *columns(rows))
    return {(row["provider"], row["dispute_no"]): row["id"] for row in found}


async def reminded(tx: Transaction, ids: Sequence[int]) -> None:
    """Record that people were reminded of these disputes."""
    if ids:
        await tx.execute(SQL["disputes.reminded"], sorted(ids))


async def add_evidence(
    tx: Transaction, submitted: Sequence[NewEvidence], ids: Mapping[DisputeKey, int], at: datetime
) -> None:
    """Write what was submitted to disputes with these ids; their orders are locked."""
    if submitted:
        rows = [
            (
                ids[one.dispute],
                one.number,
                orjson.dumps(one.references).decode(),
                one.message_id,
                one.actor_id,
                "sending" if one.to_provider else "recorded",
            )
            for one in submitted
        ]
        await tx.execute(SQL["disputes.add_evidence"], *columns(rows), at)


async def to_give(tx: Transaction, provider: str, keys: Iterable[EvidenceKey]) -> dict[EvidenceKey, EvidenceToGive]:
    """Return these submissions, as far as the provider has not answered them."""
    wanted = sorted(set(keys))
    rows = await tx.fetch(SQL["disputes.to_give"], provider, *columns(wanted, 2)) if wanted else []
    return {
        (row["dispute_no"], row["number"]): EvidenceToGive(row["trade_no"], row["message_id"], row["submitted_at"])
        for row in rows
    }


async def parcels(tx: Transaction, order_ids: Iterable[int]) -> dict[int, list[tuple[datetime, tuple[str, str]]]]:
    """Order id -> since when it is known here that each parcel left with goods of it, or of its parts, and the parcel's
    (carrier, tracking number).
    """
    wanted, found = sorted(set(order_ids)), dict[int, list[tuple[datetime, tuple[str, str]]]]()
    for row in await tx.fetch(SQL["disputes.parcels"], wanted) if wanted else []:
        found.setdefault(row["order_id"], []).append((row["known_at"], (row["carrier"], row["tracking_no"])))
    return found


async def answer_evidence(
    tx: Transaction, answers: Mapping[tuple[int, int], tuple[str, str | None]]
) -> set[tuple[int, int]]:
    """Write what the provider answered, (dispute id, number) -> (state, why refused). Returns those that waited."""
    rows = [(*key, *answer) for key, answer in sorted(answers.items())]
    found = await tx.fetch(SQL["disputes.answer_evidence"], *columns(rows)) if rows else []
    return {(row["dispute_id"], row["number"]) for row in found}


async def gone(tx: Transaction, captures: Iterable[tuple[str, str]]) -> list[GoneRefund]:
    """Return the refunds of these captures (provider, trade number) that succeeded, the oldest first."""
    wanted = sorted(set(captures))
    return [GoneRefund(*row) for row in await tx.fetch(SQL["disputes.gone"], *columns(wanted))] if wanted else []


async def recount(tx: Transaction, newest: Mapping[int, tuple[RefundState, int]]) -> None:
    """Write the new state and excess of refunds, by id."""
    if newest:
        rows = [(key, state, excess) for key, (state, excess) in sorted(newest.items())]
        await tx.execute(SQL["disputes.recount"], *columns(rows))
