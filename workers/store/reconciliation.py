"""Results of compared statements, and the captures and refunds that statements are compared with."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal, TypeAlias

from db.pool import Transaction
from db.statements import SQL, columns

StatementKey: TypeAlias = tuple[str, date, bytes]
"""(provider, day, hash of the file): two statements with the same key are the same."""
MovementKey: TypeAlias = tuple[Literal["capture", "refund"], str]
"""Unique within a provider: ("capture", its trade number) or ("refund", our refund number)."""


@dataclass(frozen=True)
class StatementResult:
    """The counts of a comparison: lines of the file, lines that agree with our records, and differences."""

    rows: int
    matched: int
    differences: int


@dataclass(frozen=True)
class RecordedMovement:
    """A capture or a refund as recorded. Amounts are minor units; `at` is None while a refund is under way.

    `number` is ours; None if another system of the shop captured. `stated_on` is the day of the statement with it.
    """

    kind: Literal["capture", "refund"]
    provider: str
    number: str | None
    trade_no: str
    amount: int
    currency: str
    at: datetime | None
    order_id: int
    stated_on: date | None


async def lock(tx: Transaction) -> None:
    """Wait until no other comparison runs, and keep others waiting until commit."""
    await tx.execute(SQL["reconciliation.lock"])


async def results(tx: Transaction, keys: Iterable[StatementKey]) -> dict[StatementKey, StatementResult]:
    """Return the results of statements that were compared before; other statements are missing."""
    wanted = sorted(set(keys))
    rows = await tx.fetch(SQL["reconciliation.done"], *columns(wanted)) if wanted else []
    return {
        (row["provider"], row["day"], row["file_hash"]): StatementResult(
            row["rows"], row["matched"], row["differences"]
        )
        for row in rows
    }


async def movements(
    tx: Transaction, windows: Sequence[tuple[str, datetime, datetime]], refunds: Iterable[tuple[str, str]]
) -> list[RecordedMovement]:
    """Return captures, then refunds: those in these windows (provider, from, until), and `refunds` (provider, number).

    There must be at least one window. A movement appears once for each window that holds it.
    """
    names = sorted(set(refunds))
    times, named = columns(windows), columns(names) if names else ([], [])
    captured = await tx.fetch(SQL["reconciliation.captures"], *times)
    refunded = await tx.fetch(SQL["reconciliation.refunds"], *times, *named)
    return [
        *(RecordedMovement(kind="capture", **row) for row in captured),
        *(RecordedMovement(kind="refund", **row) for row in refunded),
    ]


async def owners(tx: Transaction, numbers: Iterable[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """(provider, our number of an attempt or a refund) -> order id; unknown numbers are missing."""
    wanted = sorted(set(numbers))
    rows = await tx.fetch(SQL["reconciliation.owners"], *columns(wanted)) if wanted else []
    return {(row["provider"], row["number"]): row["order_id"] for row in rows}


async def keep(
    tx: Transaction,
    compared: Mapping[StatementKey, StatementResult],
    listed: Mapping[StatementKey, Sequence[MovementKey]],
) -> None:
    """Store the results of new statements, and mark the movements that each of them lists."""
    if not compared:
        return
    stored = [(*key, result.rows, result.matched, result.differences) for key, result in compared.items()]
    await tx.execute(SQL["reconciliation.keep"], *columns(stored))
    marks = [(provider, *movement, day) for (provider, day, _), found in listed.items() for movement in found]
    if marks:
        await tx.execute(SQL["reconciliation.list"], *columns(marks))
