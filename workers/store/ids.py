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


async def take_with_numbers(
    tx: Transaction, user_ids: Sequence[str], channels: Sequence[str], time_zone: str
) -> tuple[list[int], list[str]]:
    """Make one id per user id, and one order number of today, in the shop's time zone, per sales channel given."""
    return await _take(tx, user_ids, [(channel, None) for channel in channels], time_zone)


async def issue_order_numbers(
    tx: Transaction, kinds: Sequence[tuple[str, str | None]], user_ids: Sequence[str], time_zone: str
) -> list[str]:
    """Make one order number per (sales channel, payment method), and store the user that may use each."""
    _, numbers = await _take(tx, (), kinds, time_zone)
    if numbers:
        await tx.execute(SQL["ids.issue_order_numbers"], numbers, list(user_ids))
    return numbers


async def _take(
    tx: Transaction, user_ids: Sequence[str], kinds: Sequence[tuple[str, str | None]], time_zone: str
) -> tuple[list[int], list[str]]:
    if not (user_ids or kinds):
        return [], []
    rows = await tx.fetch(SQL["ids.take_with_numbers"], len(user_ids), len(kinds), time_zone)
    made = [make_id(row["at_ms"], user_shard(user), row["sequence"]) for row, user in zip(rows, user_ids, strict=False)]
    numbers = [
        order_number(row["day"], CHANNELS[channel], row["number"], PAY_TYPES.get(method or "", "00"))
        for row, (channel, method) in zip(rows, kinds, strict=False)
    ]
    return made, numbers
