"""Reads one order with everything that its views show. It locks nothing, so call it in a read-only transaction."""

from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from typing import Any, TypeVar

import orjson

from db.pool import Transaction
from db.statements import SQL
from workers.domain.order import State
from workers.domain.shipping import ParcelState
from workers.views.keys import id_of
from workers.views.whole import Head, Line, RecordedPayment, Refund, Shipment, Snapshot, Whole

T = TypeVar("T")
SNAPSHOT_ITEM = 3


async def find(tx: Transaction, name: str) -> int | None:
    """The id of the order that an id, a UUID or an order number names (C-05), or None."""
    found: int | None = await tx.fetchval(SQL["order_view.find"], name, id_of(name))
    return found


async def read(tx: Transaction, order_id: int) -> Whole:
    """The order, which must exist, with its children and without addresses, which only some callers may decrypt."""
    found = await _read(tx, order_id)
    rows = await tx.fetch(SQL["order_view.children"], order_id)
    if not rows:
        return found
    children = tuple([await _read(tx, row["id"]) for row in rows])
    lines = sorted((line for child in children for line in child.lines), key=lambda line: line.line_no)
    return replace(
        found,
        lines=tuple(lines),
        refunds=found.refunds + tuple(refund for child in children for refund in child.refunds),
        shipments=_merged(shipment for child in children for shipment in child.shipments),
        children=children,
    )


async def _read(tx: Transaction, order_id: int) -> Whole:
    row = await tx.fetchrow(SQL["order_view.order"], order_id)
    assert row is not None, f"there is no order {order_id}"
    snapshots = [_make(Snapshot, one) for one in await tx.fetch(SQL["order_view.snapshots"], order_id)]
    payments = await tx.fetch(SQL["order_view.payments"], order_id)
    held = await tx.fetch(SQL["order_view.stock"], [order_id])
    parent = await tx.fetchrow(SQL["order_view.parent"], order_id)
    address = await tx.fetchrow(SQL["order_view.address"], order_id)
    return Whole(
        head=_make(Head, dict(row) | {"state": State(row["state"])}),
        lines=_lines(await tx.fetch(SQL["order_view.items"], [order_id]), snapshots),
        facts=tuple(_make(RecordedPayment, dict(one) | {"amount": one["part"]}) for one in payments),
        refunds=tuple(_make(Refund, one) for one in await tx.fetch(SQL["order_view.refunds"], [order_id])),
        shipments=tuple(_shipment(one) for one in await tx.fetch(SQL["order_view.parcels"], order_id)),
        snapshots=tuple(snapshots),
        address_changes=address["modify_count"] if address else 0,
        stock=held[0]["state"] if held else None,
        parent_no=parent["order_no"] if parent else None,
    )


def _make(kind: type[T], row: Any) -> T:
    """Make an object from the columns that it has fields for; the row may have more."""
    return kind(**{field.name: row[field.name] for field in fields(kind)})  # type: ignore[arg-type]


def _lines(rows: Iterable[Any], snapshots: Iterable[Snapshot]) -> tuple[Line, ...]:
    sold = {
        line["line_no"]: line
        for snapshot in snapshots
        if snapshot.type == SNAPSHOT_ITEM
        for line in orjson.loads(snapshot.data)
    }
    return tuple(_make(Line, dict(row) | _as_sold(sold.get(row["line_no"], {}))) for row in rows)


def _as_sold(line: Mapping[str, Any]) -> dict[str, Any]:
    return {"specs": line.get("specs") or {}, "image_url": line.get("image_url"), "unit": line.get("unit")}


def _merged(shipments: Iterable[Shipment]) -> tuple[Shipment, ...]:
    """One Shipment for each parcel: the children of a split order may share one."""
    parcels: dict[int, Shipment] = {}
    for one in shipments:
        other = parcels.get(one.id)
        live = one if other is None or other.state is ParcelState.CANCELLED else other
        parcels[one.id] = replace(live, units={**one.units, **(other.units if other else {})})
    return tuple(parcels.values())


def _shipment(row: Any) -> Shipment:
    units = dict(zip(row["line_nos"], row["qtys"], strict=True))
    return _make(Shipment, dict(row) | {"state": ParcelState(row["state"]), "units": units})
