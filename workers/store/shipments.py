"""Parcels, and the carrier facts that move them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from db.pool import Transaction
from db.statements import SQL, columns
from messages.carriers import ShipmentObserved
from messages.shipments import ShipmentUpdate
from workers.domain.shipping import CarrierFact, Parcel, ParcelState
from workers.store.ids import bounds

ParcelKey = tuple[str, str]
"""(carrier, tracking number)"""
Places = Mapping[int, str | None]
"""Parcel id -> the warehouse that it leaves."""
KeptUnits = tuple[int, int, int, int]
"""(parcel id, order id, line number, the units that stay in the parcel)"""


@dataclass(frozen=True)
class ParcelFact:
    """One carrier fact. A stale fact is recorded and does not move its parcel."""

    update: ShipmentUpdate | ShipmentObserved
    shipment_id: int
    stale: bool


async def of_orders(tx: Transaction, order_ids: Iterable[int], *, with_returns: bool = False) -> list[Parcel]:
    """All parcels with units of these orders: a Parcel for each order in each. The caller has locked the orders.

    They are sorted by parcel and order. Parcels that orders share also come with the parts of orders that are not
    named. Parcels with goods of cases are left out unless `with_returns`.
    """
    wanted = sorted(set(order_ids))
    rows = await tx.fetch(SQL["shipments.of_orders"], wanted, with_returns, *bounds(wanted)) if wanted else []
    return [_parcel(row) for row in rows]


async def in_use(tx: Transaction, keys: Iterable[ParcelKey]) -> set[ParcelKey]:
    """Return those of these numbers that belong to a parcel which has not ended."""
    wanted = sorted(set(keys))
    rows = await tx.fetch(SQL["shipments.in_use"], *columns(wanted)) if wanted else []
    return {(row["carrier"], row["tracking_no"]) for row in rows}


def _parcel(row: Any) -> Parcel:
    return Parcel(
        id=row["id"],
        order_id=row["order_id"],
        carrier=row["carrier"],
        tracking_no=row["tracking_no"],
        state=ParcelState.CANCELLED if row["withdrawn"] else ParcelState(row["state"]),
        delayed=row["delayed"],
        units=dict(zip(row["line_nos"], row["qtys"], strict=True)),
        outbound_at=row["outbound_at"],
        delivered_at=row["delivered_at"],
        given_up=row["given_up"],
        ended=row["ended"],
        case_id=row["case_id"],
        to_buyer=row["to_buyer"],
    )


async def owners(tx: Transaction, named: Iterable[tuple[str, str, int | None]]) -> set[int]:
    """The orders in the parcels that (carrier, tracking number, order id or None) name. They are not locked yet."""
    given = sorted(set(named), key=str)
    return {row["order_id"] for row in await tx.fetch(SQL["shipments.owners"], *columns(given))} if given else set()


async def insert(tx: Transaction, new: Sequence[Parcel], parts: Sequence[Parcel], places: Places) -> None:
    """Insert new parcels, and the units that orders add to these or to others. Their orders are locked.

    `places` is parcel id -> warehouse.
    """
    if new:
        rows = [
            (
                parcel.id,
                parcel.carrier,
                parcel.tracking_no,
                places.get(parcel.id),
                parcel.state,
                parcel.delayed,
                parcel.outbound_at,
                parcel.delivered_at,
                parcel.ended,
                parcel.case_id,
                parcel.to_buyer,
            )
            for parcel in new
        ]
        await tx.execute(SQL["shipments.insert"], *columns(rows))
    if parts:
        units = [
            (p.id, p.order_id, line_no, qty, p.given_up) for p in parts for line_no, qty in sorted(p.units.items())
        ]
        await tx.execute(SQL["shipments.insert_items"], *columns(units))


async def save(tx: Transaction, parcels: Sequence[Parcel]) -> None:
    """Write the state of parcels, one Parcel for each. The caller has locked all orders in them."""
    if parcels:
        rows = [(p.id, p.state, p.delayed, p.outbound_at, p.delivered_at, p.ended) for p in parcels]
        await tx.execute(SQL["shipments.save"], *columns(rows))


async def give_up(tx: Transaction, parts: Sequence[Parcel]) -> None:
    """Mark parts whose lines were given back, because they would not arrive. The caller has locked their orders."""
    if parts:
        await tx.execute(SQL["shipments.give_up"], *columns([(part.id, part.order_id) for part in parts]))


def kept_units(parcel: Parcel) -> list[KeptUnits]:
    """Return what stays of an order's units in a parcel that has not left."""
    return [(parcel.id, parcel.order_id, line_no, qty) for line_no, qty in sorted(parcel.units.items())]


async def withdraw(tx: Transaction, kept: Sequence[KeptUnits]) -> None:
    """Take units out of parcels that have not left; a parcel without units is cancelled. Their orders are locked."""
    if kept:
        await tx.fetch(SQL["shipments.lock"], sorted({parcel_id for parcel_id, *_ in kept}))
        await tx.execute(SQL["shipments.withdraw"], *columns(kept))


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
