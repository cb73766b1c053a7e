"""Makes ids and order numbers, a batch at a time."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from db.pool import Transaction
from db.statements import SQL
from messages.user_shards import shard_of_user
from workers.domain.ids import case_number, make_id, order_number
from workers.domain.shop import CHANNELS, PAY_TYPES


@dataclass(frozen=True)
class NumberOf:
    """Whose order a new number is for, in which sales channel, and by which payment method if that is known."""

    user_id: str
    channel: str
    method: str | None = None

    def made(self, day: str, sequence: int) -> str:
        """The order number of this day with this number of the sequence."""
        pay_type = PAY_TYPES.get(self.method or "", "00")
        return order_number(day, CHANNELS[self.channel], sequence, shard_of_user(self.user_id), pay_type)


ID_MAX = 2**63 - 1
FAMILY_SPREAD = 86_400_000 << 22
"""The id of a child is less than this, a day, from that of the split order: the database refuses others. Two children
are nearer still, because one transaction makes all ids of a family."""


def bounds(ids: Collection[int], spread: int = 0) -> tuple[int, int]:
    """The lowest and the highest of these ids, which may be empty, each `spread` further.

    A statement that is given them opens the partitions of these months alone, and not those of all months: PostgreSQL
    cannot tell them from an array.
    """
    return max(min(ids, default=0) - spread, 0), min(max(ids, default=0) + spread, ID_MAX)


class NewIds:
    """Ids that a batch takes before it decides. Each gets the shard of its user when it is used, in whichever order."""

    def __init__(self, taken: Iterable[tuple[int, int]] = ()) -> None:
        """`taken` are (milliseconds since 1970, number of the sequence)."""
        self._taken = iter(taken)

    def next(self, user_id: str) -> int:
        """Return a new id of this user. The batch has taken one for each that it may use."""
        at_ms, sequence = next(self._taken)
        return make_id(at_ms, shard_of_user(user_id), sequence)


class NewCaseIds:
    """Ids and numbers of after-sale cases, as NewIds: each gets the shard of its user when it is used."""

    def __init__(self, taken: Iterable[tuple[int, int, str, int]]) -> None:
        """`taken` are (milliseconds since 1970, number of the sequence of ids, business day, number of the cases')."""
        self._taken = iter(taken)

    def next(self, user_id: str) -> tuple[int, str]:
        """Return a new id of this user, and a number for its case."""
        at_ms, sequence, day, number = next(self._taken)
        shard = shard_of_user(user_id)
        return make_id(at_ms, shard, sequence), case_number(day, number, shard)


async def reserve(tx: Transaction, count: int) -> NewIds:
    """Take so many ids, for users that are known when each is used."""
    rows = await tx.fetch(SQL["ids.take"], count) if count else []
    return NewIds((row["at_ms"], row["sequence"]) for row in rows)


async def take(tx: Transaction, user_ids: Sequence[str]) -> list[int]:
    """Make one id per user id given. An id carries its user's shard."""
    if not user_ids:
        return []
    rows = await tx.fetch(SQL["ids.take"], len(user_ids))
    shards = map(shard_of_user, user_ids)
    return [make_id(row["at_ms"], shard, row["sequence"]) for row, shard in zip(rows, shards, strict=True)]


async def take_with_numbers(
    tx: Transaction, user_ids: Sequence[str], numbered: Sequence[NumberOf], time_zone: str
) -> tuple[list[int], list[str]]:
    """Make one id per user id, and one order number of today, in the shop's time zone, for each that is `numbered`."""
    if not (user_ids or numbered):
        return [], []
    rows = await tx.fetch(SQL["ids.take_with_numbers"], len(user_ids), len(numbered), time_zone)
    shards = map(shard_of_user, user_ids)
    made = [make_id(row["at_ms"], shard, row["sequence"]) for row, shard in zip(rows, shards, strict=False)]
    return made, [one.made(row["day"], row["number"]) for row, one in zip(rows, numbered, strict=False)]


async def reserve_with_case_numbers(tx: Transaction, count: int, time_zone: str) -> NewCaseIds:
    """Take so many ids, and as many numbers of today for after-sale cases; see NewCaseIds."""
    rows = await tx.fetch(SQL["ids.take_with_numbers"], count, count, time_zone) if count else []
    return NewCaseIds((row["at_ms"], row["sequence"], row["day"], row["number"]) for row in rows)


async def issue_order_numbers(tx: Transaction, numbered: Sequence[NumberOf], time_zone: str) -> list[str]:
    """Make an order number for each, and store the user that may use it."""
    _, numbers = await take_with_numbers(tx, (), numbered, time_zone)
    if numbers:
        await tx.execute(SQL["ids.issue_order_numbers"], numbers, [one.user_id for one in numbered])
    return numbers
