"""Makes ids and order numbers, a batch at a time."""

from collections.abc import Sequence

from db.pool import Transaction
from db.statements import SQL
from workers.domain.ids import make_id, order_number, user_shard
from workers.domain.shop import CHANNELS, PAY_TYPES


async def take(tx: Transaction, user_ids: Sequence[str]) -> list[int]:
    """Make one id per user id given. An id carries its user's shard."""
    if not user_ids:
        return []
    rows = await tx.fetch(SQL["ids.take"], len(user_ids))
    return [make_id(row["at_ms"], user_shard(user), row["sequence"]) for row, user in zip(rows, user_ids, strict=True)]


async def take_order_numbers(tx: Transaction, channels: Sequence[str], time_zone: str) -> list[str]:
    """Make one order number of today, in the shop's time zone, per sales channel given.

    Locks the day's counter until commit.
    """
    return await _numbers(tx, [(channel, None) for channel in channels], time_zone)


async def issue_order_numbers(
    tx: Transaction, kinds: Sequence[tuple[str, str | None]], user_ids: Sequence[str], time_zone: str
) -> list[str]:
    """Make one order number per (sales channel, payment method), and store the user that may use each."""
    numbers = await _numbers(tx, kinds, time_zone)
    if numbers:
        await tx.execute(SQL["ids.issue_order_numbers"], numbers, list(user_ids))
    return numbers


async def _numbers(tx: Transaction, kinds: Sequence[tuple[str, str | None]], time_zone: str) -> list[str]:
    if not kinds:
        return []
    row = await tx.fetchrow(SQL["ids.take_order_numbers"], time_zone, len(kinds))
    assert row is not None
    first = row["last"] - len(kinds) + 1
    return [
        order_number(row["day"], CHANNELS[channel], first + n, PAY_TYPES.get(method or "", "00"))
        for n, (channel, method) in enumerate(kinds)
    ]
