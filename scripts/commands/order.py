"""`oms order show`: everything the database knows about one order, on one page."""

from collections.abc import Mapping
from typing import Annotated, Any

import orjson
import typer

from db import cipher
from db.pool import Transaction
from db.statements import SQL
from outbox.packing import shard_of
from scripts.commands.connecting import connected, run
from scripts.commands.output import Format, Output, write_json, write_table
from scripts.commands.problems import Code, CommandError
from workers.domain.masking import masked

app = typer.Typer(help="Orders.", no_args_is_help=True)

PARTS = ("items", "payments", "refunds", "shipments", "stock", "log", "timers", "dead_letters")


@app.callback()
def group() -> None:
    """Orders."""


@app.command("show")
def show(
    order: Annotated[str, typer.Argument(metavar="ID", help="The order's id or its number.")],
    json: Annotated[bool, typer.Option("--json", help="The same as -o json.")] = False,
    output: Output = Format.TABLE,
) -> None:
    """Show one order: lines, payments, refunds, parcels, stock, log, timers, unpublished events. The address is masked.

    \b
    Examples:
      oms order show 379226153377300480
      oms order show 202611220000000001 -o json | jq .log
    """
    found = run(read(order))
    if json or output is Format.JSON:
        write_json(found)
        return
    for title, value in found.items():
        if isinstance(value, Mapping):
            rows = [{"field": name, "value": item} for name, item in value.items() if item is not None]
            write_table(rows, title=title)
        elif value:
            write_table(value, title=f"\n{title}")


async def read(order: str) -> dict[str, Any]:
    """The order and all that hangs on it, as of one moment. Raises CommandError when there is none."""
    async with connected() as tx, tx.transaction(isolation="repeatable_read", readonly=True):
        row = await tx.fetchrow(SQL["order_view.find"], order)
        if row is None:
            hint = "an id is a number of up to 19 digits; an order number begins with its day"
            raise CommandError(Code.NOTHING, f"no order {order}", hint=hint)
        key = row["id"]
        parts = {part: await _rows(tx, f"order_view.{part}", key) for part in PARTS}
        stream = str(row["root_id"])
        waiting = await _rows(tx, "order_view.outbox", stream, shard_of(stream))
        return {"order": dict(row), "address": await _address(tx, key)} | parts | {"outbox": waiting}


async def _rows(tx: Transaction, statement: str, *arguments: object) -> list[dict[str, Any]]:
    return [dict(row) for row in await tx.fetch(SQL[statement], *arguments)]


async def _address(tx: Transaction, order_id: int) -> dict[str, Any]:
    """Masked; without the key only what is stored in clear."""
    row = await tx.fetchrow(SQL["order_view.address"], order_id)
    if row is None:
        return {}
    stored = {"country": row["country"], "changes": row["modify_count"], "key_id": row["key_id"]}
    try:
        plain = cipher.current().decrypt(row["key_id"], row["ciphertext"], b"order_address:%d" % order_id)
    except cipher.CipherError as error:
        return stored | {"unreadable": str(error)}
    return stored | dict(masked(orjson.loads(plain)))
