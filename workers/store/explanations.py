"""Reads what explanations, and orders at an earlier time, need beside the orders themselves. It locks nothing."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from db.pool import Transaction
from db.statements import SQL

OF_THE_SHOP = ("timers", "holds", "hand_overs", "waybills")
"""The statements that an explanation needs of an order and of each of its children."""


async def read_rows(tx: Transaction, ids: Iterable[int]) -> dict[str, Mapping[int, Sequence[Any]]]:
    """Name of each statement of OF_THE_SHOP -> order id -> its rows."""
    wanted = sorted(set(ids))
    return {name: await _by_order(tx, f"explanations.{name}", wanted) for name in OF_THE_SHOP}


async def read_holds(tx: Transaction, ids: Iterable[int]) -> Mapping[int, Sequence[Any]]:
    """Order id -> its holds, also those that were released, the oldest first."""
    return await _by_order(tx, "explanations.holds", sorted(set(ids)))


async def read_hand_overs(tx: Transaction, ids: Iterable[int]) -> Mapping[int, Sequence[Any]]:
    """Order id -> its hand-overs."""
    return await _by_order(tx, "explanations.hand_overs", sorted(set(ids)))


async def read_dead_letters(tx: Transaction, ids: Iterable[int]) -> Mapping[int, Sequence[Any]]:
    """Order id -> the dead letters about it, about its children, and of the conversation that placed it."""
    return await _by_order(tx, "explanations.dead_letters", sorted(set(ids)))


async def read_parcel_facts(tx: Transaction, ids: Iterable[int]) -> Mapping[int, Sequence[Any]]:
    """Order id -> what carriers reported of its parcels; a parcel without facts has one row with nulls."""
    return await _by_order(tx, "explanations.parcel_facts", sorted(set(ids)))


async def _by_order(tx: Transaction, statement: str, ids: Sequence[int]) -> Mapping[int, Sequence[Any]]:
    found = defaultdict[int, list[Any]](list)
    for row in await tx.fetch(SQL[statement], ids) if ids else ():
        found[row["order_id"]].append(row)
    return found
