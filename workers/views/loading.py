"""Reads orders with everything that their views show. It locks nothing: call it in one read-only transaction."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from datetime import datetime
from typing import Any, TypeAlias, TypeVar

import orjson

from db.pool import Transaction
from db.statements import SQL, rows_by
from workers.domain.after_sales import AfterSaleCase, CaseLine, CaseSource, CaseState, CaseType
from workers.domain.buying_groups import BuyingGroup, GroupStanding, GroupState, standing
from workers.domain.exchanges import ExchangeState
from workers.domain.order import OrderKind, State
from workers.domain.shipping import ParcelState
from workers.views.keys import id_of
from workers.views.whole import (
    ExchangeLink,
    Head,
    Line,
    LogEntry,
    RecordedDispute,
    RecordedPayment,
    Refund,
    Shipment,
    Snapshot,
    Whole,
)

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
    children = await rows_by(tx, "order_id", "order_view.children", wanted)
    family = sorted({*wanted, *(row["id"] for rows in children.values() for row in rows)})
    alone = await _read(tx, family)
    parts = {key: tuple(alone[row["id"]] for row in rows) for key, rows in children.items()}
    return {key: _with_children(alone[key], parts.get(key, ())) for key in wanted if key in alone}


async def steps(tx: Transaction, ids: Iterable[int]) -> Rows:
    """Order id -> the steps that the order took."""
    return await rows_by(tx, "order_id", "order_view.log", ids)


async def history(tx: Transaction, ids: Iterable[int]) -> Rows:
    """Order id -> all that was done with it: its steps, those of its cases, and the refunds of stray payments."""
    return await rows_by(tx, "order_id", "order_view.history", ids)


async def with_log(tx: Transaction, whole: Whole) -> Whole:
    """Return the order with its operate log."""
    rows = (await history(tx, [whole.head.id])).get(whole.head.id, ())
    return replace(whole, log=tuple(_make(LogEntry, row) for row in rows))


async def case_steps(tx: Transaction, wholes: Iterable[Whole]) -> Rows:
    """Order id -> the steps of its cases, for these orders and their children. Without a case it takes no statement.

    Of an exchange order it has those of the order whose goods it replaces.
    """
    return await rows_by(tx, "order_id", "order_view.case_steps", {key for w in wholes for key in with_cases(w)})


def with_cases(whole: Whole) -> set[int]:
    """Return the orders whose cases concern this one: of it and its children, and the one whose goods it replaces."""
    replaced = set() if whole.replaces is None else {whole.replaces.first_order_id}
    return {case.order_id for case in whole.cases} | replaced


def _with_children(found: Whole, children: tuple[Whole, ...]) -> Whole:
    if not children:
        return found
    lines = sorted((line for child in children for line in child.lines), key=lambda line: line.line_no)
    return replace(
        found,
        lines=tuple(lines),
        refunds=found.refunds + tuple(refund for child in children for refund in child.refunds),
        shipments=_merged(shipment for child in children for shipment in child.shipments),
        cases=tuple(sorted((case for one in (found, *children) for case in one.cases), key=lambda case: case.id)),
        exchanges=tuple(link for one in (found, *children) for link in one.exchanges),
        children=children,
    )


async def _read(tx: Transaction, ids: Sequence[int]) -> dict[int, Whole]:
    heads = await tx.fetch(SQL["order_view.order"], ids)
    parts = {part: await rows_by(tx, "order_id", f"order_view.{part}", ids) for part in PARTS}
    with_cases = [head["id"] for head in heads if head["cases"]]
    parts["cases"] = await rows_by(tx, "order_id", "order_view.cases", with_cases)
    exchanged = [*with_cases, *(head["id"] for head in heads if head["kind"] == OrderKind.EXCHANGE)]
    parts["exchanges"] = await rows_by(tx, "named_id", "order_view.exchanges", exchanged)
    groups = await _groups(tx, {head["group_key"] for head in heads if head["group_key"] is not None})
    return {
        head["id"]: _whole(
            head, {part: rows.get(head["id"], ()) for part, rows in parts.items()}, groups.get(head["group_key"])
        )
        for head in heads
    }


async def _groups(tx: Transaction, keys: Iterable[int]) -> dict[int, GroupStanding]:
    """Key -> how full the group of buyers is. Without a key it takes no statement."""
    wanted = sorted(keys)
    rows = await tx.fetch(SQL["order_view.groups"], wanted) if wanted else ()
    return {row["id"]: _group(row) for row in rows}


def _group(row: Any) -> GroupStanding:
    state = GroupState(row["state"])
    group = BuyingGroup(row["id"], row["group_id"], row["size"], row["deadline"], state, row["spu_id"])
    return standing(group, map(State, row["order_states"]), row["ended_at"])


def _whole(head: Any, rows: Mapping[str, Sequence[Any]], group: GroupStanding | None) -> Whole:
    snapshots = tuple(_make(Snapshot, row) for row in rows["snapshots"])
    links = [_exchange(row) for row in rows["exchanges"]]
    return Whole(
        head=_make(Head, dict(head) | {"state": State(head["state"])}),
        lines=_lines(rows["items"], snapshots),
        facts=tuple(_payment(row) for row in rows["payments"]),
        refunds=tuple(_make(Refund, row) for row in rows["refunds"]),
        shipments=tuple(_shipment(row) for row in rows["parcels"]),
        snapshots=snapshots,
        sealed_address=next(iter(rows["address"]), None),
        address_changes=next((row["modify_count"] for row in rows["address"]), 0),
        cases=tuple(_case(row) for row in rows["cases"]),
        exchanges=tuple(link for link in links if link.first_order_id == head["id"]),
        replaces=next((link for link in links if link.order_id == head["id"]), None),
        group=group,
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


def _payment(row: Any) -> RecordedPayment:
    disputes = tuple(_dispute(one) for one in orjson.loads(row["disputes"] or "[]"))
    return _make(RecordedPayment, dict(row) | {"amount": row["part"], "disputes": disputes})


def _dispute(one: Mapping[str, Any]) -> RecordedDispute:
    due_at = None if one["due_at"] is None else datetime.fromisoformat(one["due_at"])
    submitted = tuple(datetime.fromisoformat(at) for at in one["submitted"])
    times = {"occurred_at": datetime.fromisoformat(one["occurred_at"]), "due_at": due_at, "submitted": submitted}
    return _make(RecordedDispute, {**one, **times})


def _case(row: Any) -> AfterSaleCase:
    words = {"type": CaseType(row["type"]), "source": CaseSource(row["source"]), "state": CaseState(row["state"])}
    lines = tuple(_make(CaseLine, line) for line in orjson.loads(row["lines"]))
    return _make(AfterSaleCase, dict(row) | words | {"lines": lines, "evidence": tuple(orjson.loads(row["evidence"]))})


def _exchange(row: Any) -> ExchangeLink:
    words = {
        "state": State(row["state"]),
        "stage": ExchangeState(row["stage"]),
        "case_state": CaseState(row["case_state"]),
    }
    return _make(ExchangeLink, dict(row) | words)


def _shipment(row: Any) -> Shipment:
    units = dict(zip(row["line_nos"], row["qtys"], strict=True))
    return _make(Shipment, dict(row) | {"state": ParcelState(row["state"]), "units": units})
