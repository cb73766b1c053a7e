"""Makes ids and order numbers, a batch at a time."""

from collections.abc import Iterable, Sequence

from db.pool import Transaction
from db.statements import SQL
from workers.domain.ids import case_number, make_id, order_number, user_shard
from workers.domain.shop import CHANNELS, PAY_TYPES


class NewIds:
    """Ids that a batch takes before it decides. Each gets the shard of its user when it is used, in whichever order."""

    def __init__(self, taken: Iterable[tuple[int, int]] = ()) -> None:
        """`taken` are (milliseconds since 1970, number of the sequence)."""
        self._taken = iter(taken)

    def next(self, user_id: str) -> int:
        """Return a new id of this user. The batch has taken one for each that it may use."""
        at_ms, sequence = next(self._taken)
        return make_id(at_ms, user_shard(user_id), sequence)


class NewCaseIds:
    """Ids and numbers of after-sale cases, as NewIds: each gets the shard of its user when it is used."""

    def __init__(self, taken: Iterable[tuple[int, int, str]]) -> None:
        """`taken` are (milliseconds since 1970, number of the sequence, number of a case)."""
        self._taken = iter(taken)

    def next(self, user_id: str) -> tuple[int, str]:
        """Return a new id of this user, and a number for its case."""
        at_ms, sequence, number = next(self._taken)
        return make_id(at_ms, user_shard(user_id), sequence), number


async def reserve(tx: Transaction, count: int) -> NewIds:
    """Take so many ids, for users that are known when each is used."""
    rows = await tx.fetch(SQL["ids.take"], count) if count else []
    return NewIds((row["at_ms"], row["sequence"]) for row in rows)


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


async def reserve_with_case_numbers(tx: Transaction, count: int, time_zone: str) -> NewCaseIds:
    """Take so many ids, and as many numbers of today for after-sale cases; see NewCaseIds."""
    rows = await tx.fetch(SQL["ids.take_with_numbers"], count, count, time_zone) if count else []
    return NewCaseIds((row["at_ms"], row["sequence"], case_number(row["day"], row["number"])) for row in rows)


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
