"""Parcels, and the carrier facts that move them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from db.pool import Transaction
from db.statements import SQL, columns
from messages.shipments import ShipmentUpdate
from workers.domain.shipping import CarrierFact, Parcel, ParcelState

ParcelKey = tuple[str, str]
"""(carrier, tracking number)"""


@dataclass(frozen=True)
class ParcelFact:
    """One carrier fact. A stale fact is recorded and does not move its parcel."""

    update: ShipmentUpdate
    shipment_id: int
    stale: bool


async def of_orders(tx: Transaction, order_ids: Iterable[int]) -> dict[int, list[Parcel]]:
    """Order id -> its parcels. The caller has locked the orders."""
    wanted = sorted(set(order_ids))
    found: dict[int, list[Parcel]] = {order_id: [] for order_id in wanted}
    if wanted:
        for row in await tx.fetch(SQL["shipments.of_orders"], wanted):
            found[row["order_id"]].append(_parcel(row))
    return found


def _parcel(row: Any) -> Parcel:
    units = dict(zip(row["line_nos"], row["qtys"], strict=True))
    return Parcel(
        row["id"],
        row["order_id"],
        row["carrier"],
        row["tracking_no"],
        ParcelState(row["state"]),
        row["delayed"],
        units,
        row["outbound_at"],
        row["delivered_at"],
        row["given_up"],
    )


async def owners(tx: Transaction, keys: Iterable[ParcelKey]) -> dict[ParcelKey, int]:
    """(carrier, tracking number) -> the order that owns the parcel. Unknown parcels are missing."""
    given = sorted(set(keys))
    rows = await tx.fetch(SQL["shipments.owners"], *columns(given)) if given else []
    return {(row["carrier"], row["tracking_no"]): row["order_id"] for row in rows}


async def insert(tx: Transaction, parcels: Sequence[Parcel], warehouses: Mapping[int, str | None]) -> None:
    """Insert new parcels and the units in them. The caller has locked their orders."""
    if not parcels:
        return
    rows = [
        (
            parcel.id,
            parcel.order_id,
            parcel.carrier,
            parcel.tracking_no,
            warehouses.get(parcel.id),
            parcel.state,
            parcel.delayed,
            parcel.outbound_at,
            parcel.delivered_at,
        )
        for parcel in parcels
    ]
    await tx.execute(SQL["shipments.insert"], *columns(rows))
    units = [(p.id, p.order_id, line_no, qty) for p in parcels for line_no, qty in sorted(p.units.items())]
    await tx.execute(SQL["shipments.insert_items"], *columns(units))


async def save(tx: Transaction, parcels: Sequence[Parcel]) -> None:
    """Write the state of parcels. The caller has locked their orders."""
    if parcels:
        rows = [(p.id, p.state, p.delayed, p.outbound_at, p.delivered_at) for p in parcels]
        await tx.execute(SQL["shipments.save"], *columns(rows))


async def give_up(tx: Transaction, parcel_ids: Sequence[int]) -> None:
    """Mark parcels whose lines were given back, because they would not arrive. The caller has locked their orders."""
    if parcel_ids:
        await tx.execute(SQL["shipments.give_up"], list(parcel_ids))


async def cancel_booked(tx: Transaction, order_ids: Sequence[int]) -> None:
    """Cancel the parcels of these orders that have not left the warehouse."""
    if order_ids:
        await tx.execute(SQL["shipments.cancel_booked"], list(order_ids))


async def facts(tx: Transaction, parcel_ids: Iterable[int]) -> dict[int, dict[str, CarrierFact]]:
    """Parcel id -> event id -> fact, for all facts about these parcels. The caller has locked their orders."""
    wanted = sorted(set(parcel_ids))
    found: dict[int, dict[str, CarrierFact]] = {parcel_id: {} for parcel_id in wanted}
    for row in await tx.fetch(SQL["shipments.facts"], wanted) if wanted else []:
        found[row["shipment_id"]][row["event_id"]] = CarrierFact(row["event_id"], row["status"], row["occurred_at"])
    return found


async def record_facts(tx: Transaction, recorded: Sequence[ParcelFact]) -> None:
    """Record facts that are new. The caller has locked their orders."""
    if recorded:
        rows = [
            (f.shipment_id, one.carrier, one.tracking_no, one.event_id, one.status, f.stale, one.place, one.occurred_at)
            for f in recorded
            for one in (f.update,)
        ]
        await tx.execute(SQL["shipments.record_facts"], *columns(rows))
