"""`oms order show` prints all that the database has about one order, or the order in a source document's tables.

`oms order holds` lists what is held.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from enum import StrEnum
from typing import Annotated, Any, NamedTuple

import orjson
import typer

from db import cipher
from db.pool import Transaction
from db.statements import SQL
from outbox.packing import shard_of
from scripts.commands import command_app
from scripts.commands.connections import connected, run
from scripts.commands.output import Format, Output, counted, say, write_json, write_table
from scripts.commands.problems import Code, CommandError
from workers import views
from workers.domain.masking import masked
from workers.store import holds, orders
from workers.views import loading as stored
from workers.views.codes import SNAPSHOT_TYPE

app = command_app("Look into one order.")

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
PARTS_OF_MANY = frozenset({"parent", "children", "snapshots", "payments", "log"})
"""The statements of these parts take the ids of many orders."""
SNAPSHOTS = {number: name for name, number in SNAPSHOT_TYPE.items()}


class Source(StrEnum):
    """The source documents, which tests/requirements.md names. An order can be shown in the tables of each."""

    S0 = "s0"
    S1 = "s1"
    S2 = "s2"
    S3 = "s3"
    S4 = "s4"


class OrderInSource(NamedTuple):
    """An order in the words of a source document, and a status line for it, for its parent and for each child."""

    document: dict[str, Any]
    statuses: list[dict[str, Any]]


@app.callback()
def group() -> None:
    """Make `show` a command of a group: a group of one command would otherwise be that command."""


@app.command("show")
def show(
    order: Annotated[str, typer.Argument(metavar="ID", help="The id, the number or the UUID of the order.")],
    view: Annotated[
        Source | None, typer.Option("--view", help="Show the order in the tables of this source document.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON, like -o json.")] = False,
    output: Output = Format.TABLE,
) -> None:
    """Show all that the database has about one order.

    That is its lines, payments, refunds, parcels, stock, log, timers and unpublished events. The address is masked.

    \b
    Examples:
      oms order show 379226153377300480
      oms order show 202611220000000001 -o json | jq .log
      oms order show 00000000-0000-0000-0543-4f8d92000000 --view s3
    """
    as_json = json or output is Format.JSON
    if view is not None:
        shown = run(read_view(order, view.value))
        write_json(shown.document) if as_json else _write_view(shown)
        return
    found = run(read(order))
    write_json(found) if as_json else _write_parts(found)


@app.command("holds")
def show_holds(
    *,
    reason_code: Annotated[str | None, typer.Option(help="Show holds with this reason code only.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Show at most so many, the oldest first.")] = 100,
    output: Output = Format.TABLE,
) -> None:
    """List the open holds of orders: why, since when and by whom each was placed.

    A held order is not handed over and not completed by time. `order.release` with the hold's id lets it go on.

    \b
    Examples:
      oms order holds --reason-code risk_check
      oms order holds -o json | jq '.[].order_id'
    """

    async def work() -> tuple[list[dict[str, Any]], int]:
        async with connected() as tx:
            counts = await holds.count(tx)
            found = [dict(row) for row in await tx.fetch(SQL["holds.list"], reason_code, limit)]
            return found, sum(counts.values()) if reason_code is None else counts.get(reason_code, 0)

    found, count = run(work())
    write_json(found) if output is Format.JSON else write_table(found)
    say(counted(count, "open hold") + (f", {len(found)} shown" if count > len(found) else ""))


async def read(order: str) -> dict[str, Any]:
    """Read the order and all that belongs to it, as of one moment. Raises CommandError if there is no such order."""
    async with connected() as tx, tx.transaction(isolation="repeatable_read", readonly=True):
        key = await _find(tx, order)
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
        key = await _find(tx, order)
        address = {name: str(value) for name, value in (await _address(tx, key)).items() if value is not None}
        whole = replace(await stored.read(tx, key), address=address)
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


async def _find(tx: Transaction, order: str) -> int:
    key = await stored.find(tx, order)
    if key is None:
        hint = "give an id (up to 19 digits), an order number (it begins with its day) or a UUID (it ends in the id)"
        raise CommandError(Code.NOTHING, f"no order {order}", hint=hint)
    return key


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


def _write_parts(found: Mapping[str, Any]) -> None:
    for title, value in found.items():
        if isinstance(value, Mapping):
            _write_fields(value, title=title)
        elif value:
            write_table([_flat(row) for row in value], title=f"\n{title}")


def _write_view(shown: OrderInSource) -> None:
    write_table(shown.statuses)
    for title, value in shown.document.items():
        if not isinstance(value, Mapping):
            _write_parts({title: value})
            continue
        inner = {name: item for name, item in value.items() if isinstance(item, list)}
        _write_fields({name: item for name, item in value.items() if name not in inner}, title=f"\n{title}")
        _write_parts({f"{title}.{name}": item for name, item in inner.items()})


def _write_fields(value: Mapping[str, Any], *, title: str) -> None:
    write_table([{"field": name, "value": item} for name, item in value.items() if item is not None], title=title)


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    """Write JSON within a cell as text; a list of words stays a list."""
    return {name: orjson.dumps(item).decode() if _nested(item) else item for name, item in row.items()}


def _nested(item: Any) -> bool:
    return isinstance(item, dict) or (isinstance(item, list) and any(isinstance(one, dict) for one in item))
