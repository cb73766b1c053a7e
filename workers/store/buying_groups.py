"""Groups of buyers and their orders. Whoever decides about a group has its row locked."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from db.pool import Transaction
from db.statements import SQL, columns
from workers.domain.buying_groups import BuyingGroup, GroupOrder, GroupState, Seats, users_of
from workers.domain.order import State


async def open_and_lock(tx: Transaction, wanted: Mapping[str, tuple[int, datetime]], now: datetime) -> dict[str, Seats]:
    """Group id -> the group with its seats, locked until commit.

    `wanted` is group id -> (size, deadline) of one that does not exist yet: it is opened. `join` must follow.
    """
    if not wanted:
        return {}
    given = [(group_id, size, deadline) for group_id, (size, deadline) in sorted(wanted.items())]
    rows = await tx.fetch(SQL["buying_groups.open_and_lock"], *columns(given), now)
    found = await orders_of(tx, [row["id"] for row in rows if not row["opened"]])
    return {row["group_id"]: Seats(_group(row), users_of(found.get(row["id"], ())), row["opened"]) for row in rows}


async def lock(tx: Transaction, keys: Iterable[int]) -> dict[int, BuyingGroup]:
    """Key -> group, locked until commit; unknown ones are missing."""
    wanted = sorted(set(keys))
    rows = await tx.fetch(SQL["buying_groups.lock"], wanted) if wanted else []
    return {row["id"]: _group(row) for row in rows}


async def orders_of(tx: Transaction, keys: Iterable[int]) -> dict[int, list[GroupOrder]]:
    """Key of a group -> its orders with seats as they are now. Who decides about the groups has locked them."""
    wanted = sorted(keys)
    found: dict[int, list[GroupOrder]] = {}
    for row in await tx.fetch(SQL["buying_groups.orders"], wanted) if wanted else ():
        order = GroupOrder(row["order_id"], row["user_id"], State(row["state"]), row["held"])
        found.setdefault(row["group_key"], []).append(order)
    return found


async def described(tx: Transaction, group_ids: Iterable[str]) -> dict[str, Any]:
    """Group id -> its row; unknown ones are missing. Nothing is locked."""
    rows = await tx.fetch(SQL["buying_groups.described"], sorted(group_ids))
    return {row["group_id"]: row for row in rows}


async def read(tx: Transaction, group_ids: Iterable[str]) -> dict[str, tuple[BuyingGroup, list[GroupOrder]]]:
    """Group id -> the group and its orders; unknown ones are missing. Nothing is locked."""
    wanted = set(group_ids)
    if not wanted:
        return {}
    groups = [_group(row) for row in (await described(tx, wanted)).values()]
    orders = await orders_of(tx, [group.key for group in groups])
    return {group.group_id: (group, orders.get(group.key, [])) for group in groups}


async def join(tx: Transaction, locked: Iterable[Seats]) -> None:
    """Store who has joined these groups, start the timers of those that are new, and drop new ones without an order."""
    seats = list(locked)
    if not seats:
        return
    joined = [(order_id, one.group.key) for one in seats for order_id in one.joined]
    first = [one for one in seats if one.opened and one.joined]
    opened = [(one.group.key, one.spu_id, one.group.size, one.group.deadline) for one in first]
    unused = [one.group.key for one in seats if one.opened and not one.joined]
    if joined or unused:
        await tx.execute(SQL["buying_groups.join"], *columns(joined, 2), *columns(opened, 4), unused)


async def end(tx: Transaction, ended: Sequence[tuple[int, GroupState]], now: datetime) -> None:
    """Let open groups have formed or failed now: (key, state)."""
    if ended:
        await tx.execute(SQL["buying_groups.end"], *columns(ended), now)


def _group(row: Any) -> BuyingGroup:
    return BuyingGroup(
        row["id"], row["group_id"], row["size"], row["deadline"], GroupState(row["state"]), row["spu_id"]
    )
