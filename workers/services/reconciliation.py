"""A provider's day statement, and the ledger that it is compared with: what we recorded around its day.

The handler of payment.reconcile and `oms payments reconcile` share this service.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from db.pool import Transaction
from workers.domain.reconciliation import LATE, NEIGHBOUR, Entry
from workers.providers.port import StatementRow
from workers.store import reconciliation
from workers.store.reconciliation import RecordedMovement, StatementKey


@dataclass(frozen=True)
class DayStatement:
    """A provider's statement of one day, as read from its file."""

    provider: str
    day: date
    file_hash: bytes
    rows: Sequence[StatementRow]

    @property
    def key(self) -> StatementKey:
        """(provider, day, hash of the file): two statements with the same key are the same."""
        return self.provider, self.day, self.file_hash


async def ledgers(tx: Transaction, found: Sequence[DayStatement], time_zone: str) -> dict[str, list[Entry]]:
    """Provider -> the captures and refunds around the days of its statements, and the refunds that these name."""
    if not found:
        return {}
    zone = ZoneInfo(time_zone)
    windows = [(statement.provider, *_window(statement.day, zone)) for statement in found]
    listed = [(s.provider, row) for s in found for row in s.rows if row.kind == "refund"]
    refunds = {(name, number) for name, row in listed for number in (row.number, row.provider_no) if number}
    by_key = {}
    for movement in await reconciliation.movements(tx, windows, refunds):
        entry = _entry(movement, zone)
        by_key[movement.provider, entry.key] = entry
    entries: dict[str, list[Entry]] = {}
    for (provider, _), entry in by_key.items():
        entries.setdefault(provider, []).append(entry)
    return entries


def _window(day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return the midnight that begins the day before, and the midnight that ends the day after."""
    first, end = day - NEIGHBOUR, day + NEIGHBOUR + timedelta(days=1)
    return datetime.combine(first, time.min, zone), datetime.combine(end, time.min, zone)


def _entry(movement: RecordedMovement, zone: ZoneInfo) -> Entry:
    at = movement.at
    return Entry(
        kind=movement.kind,
        number=movement.number,
        trade_no=movement.trade_no,
        amount=movement.amount,
        currency=movement.currency,
        day=None if at is None else at.astimezone(zone).date(),
        order_id=movement.order_id,
        stated_on=movement.stated_on,
        due_on=None if at is None else (at + LATE).astimezone(zone).date(),
    )
