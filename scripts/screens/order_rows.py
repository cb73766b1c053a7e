"""Reads an order as its rows are stored (`oms order show --rows`), or in the tables of a source document (`--view`)."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, NamedTuple

import orjson

from db import cipher
from db.pool import Transaction
from db.statements import SQL
from outbox.packing import shard_of
from scripts.commands.connections import connected
from scripts.commands.output import write_table
from scripts.commands.problems import Code, CommandError
from scripts.screens.order_loading import find
from workers import views
from workers.domain.masking import masked
from workers.store import orders
from workers.views import loading as stored
from workers.views.codes import SNAPSHOT_TYPE

PARTS = (
    "parent",
    "children",
    "items",
    "snapshots",
    "payments",
    "refunds",
    "shipments",
    "stock",
    "coupons",
    "points",
    "promotions",
    "log",
    "timers",
    "dead_letters",
)
PARTS_WITH_CHILDREN = frozenset({"items", "refunds", "shipments", "stock"})
"""These parts are read for an order and its children: the children of a split order carry its goods."""
PARTS_OF_MANY = frozenset({"parent", "children", "snapshots", "payments", "log", "timers", "dead_letters"})
"""The statements of these parts take the ids of many orders."""
SNAPSHOTS = {number: name for name, number in SNAPSHOT_TYPE.items()}


class OrderInSource(NamedTuple):
    """An order in the words of a source document, and a status line for it, for its parent and for each child."""

    document: dict[str, Any]
    statuses: list[dict[str, Any]]


async def read_rows(order: str) -> dict[str, Any]:
    """Read the order and all that belongs to it, as of one moment. Raises CommandError if there is no such order."""
    async with connected() as tx, tx.transaction(isolation="repeatable_read", readonly=True):
        key = await find(tx, order)
        (row,) = await _rows(tx, "order_view.order", [key])
        facets = views.facets_of(await stored.read(tx, key))
        family = sorted({key, *(child["id"] for child in await tx.fetch(SQL["order_view.children"], [key]))})
        parts = {part: await _part(tx, part, key, family) for part in PARTS}
        stream = str(row["root_id"])
        waiting = await _rows(tx, "order_view.outbox", stream, shard_of(stream))
        shown = {"order": row, "facets": asdict(facets), "address": await _address(tx, key)}
        return shown | parts | {"outbox": waiting}


async def read_view(order: str, source: views.Source) -> OrderInSource:
    """Read the order in the words of a source document. Raises CommandError if that document has no such order."""
    async with connected() as tx, tx.transaction(isolation="repeatable_read", readonly=True):
        key = await find(tx, order)
        address = {name: str(value) for name, value in (await _address(tx, key)).items() if value is not None}
        whole = replace(await stored.with_log(tx, await stored.read(tx, key)), address=address)
        parent = [] if whole.head.parent_id is None else [await stored.read(tx, whole.head.parent_id)]
    document = views.document(source, whole)
    if isinstance(document, views.Absent):
        why = f"it is {whole.head.state}, and {source} has an order only once it is placed"
        raise CommandError(Code.NOTHING, f"{source} knows no order {order}", why=why, hint=f"oms order show {order}")
    relatives = [("this", whole), *(("parent", one) for one in parent), *(("child", one) for one in whole.children)]
    return OrderInSource(document, [_line(source, word, one) for word, one in relatives])


def _line(source: views.Source, word: str, whole: views.Whole) -> dict[str, Any]:
    status = views.status_of(source, whole)
    name, code = ("-", None) if isinstance(status, views.Absent) else status
    return {"view": source, "order": word, "status": name, "code": code, "id": whole.head.id, "no": whole.head.order_no}


async def _rows(tx: Transaction, statement: str, *arguments: object) -> list[dict[str, Any]]:
    return [dict(row) for row in await tx.fetch(SQL[statement], *arguments)]


async def _part(tx: Transaction, part: str, key: int, family: Sequence[int]) -> list[dict[str, Any]]:
    """Read one part. Rows have a column order_id only if the order has children."""
    rows = await _rows(tx, f"order_view.{part}", _given(part, key, family))
    if part == "snapshots":
        return [_snapshot(row) for row in rows]
    return rows if len(family) > 1 else [{k: v for k, v in row.items() if k != "order_id"} for row in rows]


def _given(part: str, key: int, family: Sequence[int]) -> int | Sequence[int]:
    if part in PARTS_WITH_CHILDREN:
        return family
    return [key] if part in PARTS_OF_MANY else key


def _snapshot(row: Mapping[str, Any]) -> dict[str, Any]:
    kind = SNAPSHOTS[row["type"]]
    return {"type": row["type"], "kind": kind, "created_at": row["created_at"], "data": orjson.loads(row["data"])}


async def _address(tx: Transaction, order_id: int) -> dict[str, Any]:
    """Read the address and mask it. Without its key only the parts that are stored in clear are returned."""
    row = await tx.fetchrow(SQL["order_view.address"], [order_id])
    if row is None:
        return {}
    stored_clear = {"country": row["country"], "changes": row["modify_count"], "key_id": row["key_id"]}
    try:
        plain = orders.decrypt_address(order_id, row)
    except cipher.ErasedError:
        return stored_clear | dict.fromkeys(("receiver", "phone", "detail"), cipher.ERASED)
    except cipher.CipherError as error:
        return stored_clear | {"unreadable": str(error)}
    return stored_clear | dict(masked(orjson.loads(plain)))


def write_parts(found: Mapping[str, Any]) -> None:
    """Write each part of an order as a table: an object as its fields, a list as its rows."""
    for title, value in found.items():
        if isinstance(value, Mapping):
            _write_fields(value, title=title)
        elif value:
            write_table([_flat(row) for row in value], title=f"\n{title}")


def write_view(shown: OrderInSource) -> None:
    """Write the statuses of an order and its relatives, then the tables of the document."""
    write_table(shown.statuses)
    for title, value in shown.document.items():
        if not isinstance(value, Mapping):
            write_parts({title: value})
            continue
        inner = {name: item for name, item in value.items() if isinstance(item, list)}
        _write_fields({name: item for name, item in value.items() if name not in inner}, title=f"\n{title}")
        write_parts({f"{title}.{name}": item for name, item in inner.items()})


def _write_fields(value: Mapping[str, Any], *, title: str) -> None:
    write_table([{"field": name, "value": item} for name, item in value.items() if item is not None], title=title)


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    """Write JSON within a cell as text; a list of words stays a list."""
    return {name: orjson.dumps(item).decode() if _nested(item) else item for name, item in row.items()}


def _nested(item: Any) -> bool:
    return isinstance(item, dict) or (isinstance(item, list) and any(isinstance(one, dict) for one in item))
