"""Day statements of providers and what we hold of the same days."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

from db.pool import Transaction
from db.statements import SQL
from workers.domain.reconciliation import LATE, NEIGHBOUR, Comparison, Entry, Movement
from workers.providers.port import StatementRow

Key: TypeAlias = tuple[str, date, bytes]
"""(provider, day, hash of the file): what makes two statements the same."""


@dataclass(frozen=True)
class Sheet:
    """A provider's statement of one day, read."""

    provider: str
    day: date
    file_hash: bytes
    rows: Sequence[StatementRow]

    @property
    def key(self) -> Key:
        """What makes two statements the same."""
        return self.provider, self.day, self.file_hash

    def window(self, time_zone: str) -> tuple[datetime, datetime]:
        """From the midnight that begins the day before, to the one that ends the day after."""
        zone = ZoneInfo(time_zone)
        first, end = self.day - NEIGHBOUR, self.day + NEIGHBOUR + timedelta(days=1)
        return datetime.combine(first, time.min, zone), datetime.combine(end, time.min, zone)


@dataclass(frozen=True)
class Result:
    """What came of a statement: its lines, how many of them say what we hold, and how many differences there are."""

    rows: int
    matched: int
    differences: int


async def lock(tx: Transaction) -> None:
    """One comparison at a time, until commit."""
    await tx.execute(SQL["reconciliation.lock"])


async def done(tx: Transaction, keys: Iterable[Key]) -> dict[Key, Result]:
    """What came of the files that were compared before; others are missing."""
    wanted = sorted(set(keys))
    rows = await tx.fetch(SQL["reconciliation.done"], *_columns(wanted, 3)) if wanted else []
    return {
        (row["provider"], row["day"], row["file_hash"]): Result(row["rows"], row["matched"], row["differences"])
        for row in rows
    }


async def ledgers(tx: Transaction, sheets: Sequence[Sheet], time_zone: str) -> dict[str, list[Entry]]:
    """Provider -> the captures and refunds around the days of its statements, and the refunds that these name."""
    if not sheets:
        return {}
    windows = _columns([(sheet.provider, *sheet.window(time_zone)) for sheet in sheets], 3)
    named = sorted({(s.provider, row.number) for s in sheets for row in s.rows if row.kind == "refund" and row.number})
    captures = await tx.fetch(SQL["reconciliation.captures"], *windows)
    refunds = await tx.fetch(SQL["reconciliation.refunds"], *windows, *_columns(named, 2))
    zone, found = ZoneInfo(time_zone), dict[str, dict[tuple[Movement, str], Entry]]()
    for kind, rows in (("capture", captures), ("refund", refunds)):
        for row in rows:
            entry = _entry(kind, row, zone)  # type: ignore[arg-type]
            found.setdefault(row["provider"], {})[entry.key] = entry
    return {provider: list(entries.values()) for provider, entries in found.items()}


def _entry(kind: Movement, row: Any, zone: ZoneInfo) -> Entry:
    day, due_on = (
        None if row["at"] is None else (row["at"] + late).astimezone(zone).date() for late in (timedelta(), LATE)
    )
    return Entry(
        kind,
        row["number"],
        row["trade_no"],
        row["amount"],
        row["currency"],
        day,
        row["order_id"],
        row["stated_on"],
        due_on,
    )


async def owners(tx: Transaction, numbers: Iterable[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """(provider, our number of an attempt or a refund) -> order id; unknown ones are missing."""
    wanted = sorted(set(numbers))
    rows = await tx.fetch(SQL["reconciliation.owners"], *_columns(wanted, 2)) if wanted else []
    return {(row["provider"], row["number"]): row["order_id"] for row in rows}


async def keep(tx: Transaction, compared: Mapping[Key, tuple[Result, Comparison]]) -> None:
    """Write what came of new files, and what of ours they list."""
    if not compared:
        return
    results = [(*key, r.rows, r.matched, r.differences) for key, (r, _) in compared.items()]
    await tx.execute(SQL["reconciliation.keep"], *_columns(results, 6))
    listed = [(provider, *entry.key, day) for (provider, day, _), (_, c) in compared.items() for entry in c.listed]
    await tx.execute(SQL["reconciliation.list"], *_columns(listed, 4))


def _columns(rows: Sequence[tuple[Any, ...]], width: int) -> list[list[Any]]:
    return [[row[n] for row in rows] for n in range(width)]
