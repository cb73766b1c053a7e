"""Check of the parcels that the order system books at carriers: they know the same ones as we do."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import asyncpg

WAYBILLS_SQL = "SELECT id, carrier, state, tracking_no FROM waybills ORDER BY id"
Key = tuple[str, str]
"""(carrier, number of ours)"""


async def compare_waybills(
    session: "asyncpg.Connection[asyncpg.Record]", parcels: Iterable[Mapping[str, Any]]
) -> tuple[int, list[str]]:
    """Return how many parcels of the carriers' ledger are ours too, and the differences."""
    rows = await session.fetch(WAYBILLS_SQL)
    ours = {(row["carrier"], f"W{row['id']}"): (row["state"], row["tracking_no"]) for row in rows}
    theirs = {
        (one["carrier"], one["number"]): ("cancelled" if one["cancelled"] else "booked", one["tracking_no"])
        for one in parcels
    }
    return len(ours.keys() & theirs.keys()), differences(ours, theirs)


def differences(ours: Mapping[Key, tuple[str, str | None]], theirs: Mapping[Key, tuple[str, str]]) -> list[str]:
    """Return what differs. A parcel that a carrier refused is in no ledger of its."""
    found: Sequence[tuple[Key, tuple[str, str | None] | None, tuple[str, str] | None]] = [
        (key, ours.get(key), theirs.get(key)) for key in sorted({*ours, *theirs})
    ]
    return [
        f"{carrier} {number}: ours {mine}, theirs {its}"
        for (carrier, number), mine, its in found
        if mine != its and not (its is None and mine == ("refused", None))
    ]
