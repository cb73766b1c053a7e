"""Reads what explanations, and orders at an earlier time, need beside the orders themselves. It locks nothing."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from db.pool import Transaction
from db.statements import SQL, rows_by

OF_THE_SHOP = ("holds", "cancellations", "captchas", "hand_overs", "waybills")
"""The statements that an explanation needs of an order and of each of its children."""


async def read_rows(tx: Transaction, ids: Iterable[int]) -> dict[str, Mapping[int, Sequence[Any]]]:
    """Name of each statement of OF_THE_SHOP -> order id -> its rows."""
    wanted = set(ids)
    return {name: await rows_by(tx, "order_id", f"explanations.{name}", wanted) for name in OF_THE_SHOP}


async def read_timers(tx: Transaction, ids: Iterable[int]) -> Mapping[int, Sequence[Any]]:
    """Order id -> its timers, but for those of its attempts and refunds."""
    return await rows_by(tx, "order_id", "explanations.timers", ids)


async def read_cancelled_timers(
    tx: Transaction, timers: Iterable[tuple[str, int]], since: datetime
) -> dict[tuple[str, int], Any]:
    """(kind, key) -> who cancelled this timer by hand since then, and when: the newest such record of each."""
    subjects = {f"{kind} {key}": (kind, key) for kind, key in timers}
    rows = await tx.fetch(SQL["explanations.cancelled_timers"], sorted(subjects), since) if subjects else []
    return {subjects[row["subject"]]: row for row in rows}


async def read_ended_polls(tx: Transaction, ids: Iterable[int]) -> Mapping[int, Sequence[Any]]:
    """Order id -> the timers of its open attempts, refunds and waybills that a person has ended, when, and by whom."""
    return await rows_by(tx, "order_id", "explanations.ended_polls", ids)


async def read_holds(tx: Transaction, ids: Iterable[int]) -> Mapping[int, Sequence[Any]]:
    """Order id -> its holds, also those that were released, the oldest first."""
    return await rows_by(tx, "order_id", "explanations.holds", ids)


async def read_hand_overs(tx: Transaction, ids: Iterable[int]) -> Mapping[int, Sequence[Any]]:
    """Order id -> its hand-overs."""
    return await rows_by(tx, "order_id", "explanations.hand_overs", ids)


async def read_case_timers(tx: Transaction, ids: Iterable[int]) -> Mapping[int, Sequence[Any]]:
    """Order id -> the timers of its after-sale cases."""
    return await rows_by(tx, "order_id", "explanations.case_timers", ids)


async def read_send_backs(tx: Transaction, ids: Iterable[int]) -> Mapping[int, Sequence[Any]]:
    """Order id -> the goods of its cases that warehouses have to send back to the buyer."""
    return await rows_by(tx, "order_id", "explanations.send_backs", ids)


async def read_dead_letters(tx: Transaction, ids: Iterable[int]) -> Mapping[int, Sequence[Any]]:
    """Order id -> the dead letters about it, about its children, and of the conversation that placed it."""
    return await rows_by(tx, "order_id", "explanations.dead_letters", ids)


async def read_parcel_facts(tx: Transaction, ids: Iterable[int]) -> Mapping[int, Sequence[Any]]:
    """Order id -> what carriers reported of its parcels; a parcel without facts has one row with nulls."""
    return await rows_by(tx, "order_id", "explanations.parcel_facts", ids)
