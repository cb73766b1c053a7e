"""Reads orders with everything that their views show. It locks nothing: call it in one read-only transaction."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any, TypeAlias, TypeVar

import orjson

from db.pool import Transaction
from db.statements import SQL
from workers.domain.order import State
from workers.domain.shipping import ParcelState
from workers.views.keys import id_of
from workers.views.whole import Head, Line, RecordedPayment, Refund, Shipment, Snapshot, Whole

T = TypeVar("T")
Rows: TypeAlias = Mapping[int, Sequence[Any]]
"""Order id -> its rows of one statement, in their order."""
SNAPSHOT_ITEM = 3
PARTS = ("snapshots", "items", "payments", "refunds", "parcels", "stock", "parent", "address")


async def find(tx: Transaction, name: str) -> int | None:
    """The id of the order that an id, a UUID or an order number names (C-05), or None."""
    return (await find_all(tx, [name])).get(name)


async def find_all(tx: Transaction, names: Iterable[str]) -> dict[str, int]:
    """Name -> id of the order that it names; names of no order are missing."""
    wanted = sorted(set(names))
    rows = await tx.fetch(SQL["order_view.find"], wanted, [id_of(name) for name in wanted])
    return {row["name"]: row["id"] for row in rows}


async def read(tx: Transaction, order_id: int) -> Whole:
    """The order, which must exist, with its children and without addresses, which only some callers may decrypt."""
    found = await read_all(tx, [order_id])
    assert order_id in found, f"there is no order {order_id}"
    return found[order_id]


async def read_all(tx: Transaction, ids: Iterable[int]) -> dict[int, Whole]:
    """Order id -> order, as `read` returns one; unknown ids are missing. It takes as many statements as for one."""
    wanted = sorted(set(ids))
    children = await rows_of(tx, "order_view.children", wanted)
    family = sorted({*wanted, *(row["id"] for rows in children.values() for row in rows)})
    alone = await _read(tx, family)
    parts = {key: tuple(alone[row["id"]] for row in rows) for key, rows in children.items()}
    return {key: _with_children(alone[key], parts.get(key, ())) for key in wanted if key in alone}


async def rows_of(tx: Transaction, statement: str, ids: Sequence[int]) -> Rows:
    """Read the rows of a statement that takes order ids, by order."""
    found: dict[int, list[Any]] = defaultdict(list)
    for row in await tx.fetch(SQL[statement], ids) if ids else ():
        found[row["order_id"]].append(row)
    return found


def _with_children(found: Whole, children: tuple[Whole, ...]) -> Whole:
    if not children:
        return found
    lines = sorted((line for child in children for line in child.lines), key=lambda line: line.line_no)
    return replace(
        found,
        lines=tuple(lines),
        refunds=found.refunds + tuple(refund for child in children for refund in child.refunds),
        shipments=_merged(shipment for child in children for shipment in child.shipments),
        children=children,
    )


async def _read(tx: Transaction, ids: Sequence[int]) -> dict[int, Whole]:
    heads = await tx.fetch(SQL["order_view.order"], ids)
    parts = {part: await rows_of(tx, f"order_view.{part}", ids) for part in PARTS}
    return {
        head["id"]: _whole(head, {part: rows.get(head["id"], ()) for part, rows in parts.items()}) for head in heads
    }


def _whole(head: Any, rows: Mapping[str, Sequence[Any]]) -> Whole:
    snapshots = tuple(_make(Snapshot, row) for row in rows["snapshots"])
    return Whole(
        head=_make(Head, dict(head) | {"state": State(head["state"])}),
        lines=_lines(rows["items"], snapshots),
        facts=tuple(_make(RecordedPayment, dict(row) | {"amount": row["part"]}) for row in rows["payments"]),
        refunds=tuple(_make(Refund, row) for row in rows["refunds"]),
        shipments=tuple(_shipment(row) for row in rows["parcels"]),
        snapshots=snapshots,
        sealed_address=next(iter(rows["address"]), None),
        address_changes=next((row["modify_count"] for row in rows["address"]), 0),
        stock=next((row["state"] for row in rows["stock"]), None),
        parent_no=next((row["order_no"] for row in rows["parent"]), None),
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
