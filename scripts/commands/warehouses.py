"""`oms warehouses` shows and sets the lists of warehouses that lines come from which name none."""

from typing import Annotated, Any

import orjson
import typer

from messages.base import CommandRejected
from messages.catalogue import WarehousesSet, WarehousesUnchanged
from scripts.commands import command_app
from scripts.commands.body_faults import faults as faults_of
from scripts.commands.connections import connected, run
from scripts.commands.decisions import confirm
from scripts.commands.message_sending import send
from scripts.commands.outcomes import outcome
from scripts.commands.output import Format, Output, counted, say, write_json, write_table
from scripts.commands.problems import Code, CommandError
from workers.domain.sourcing import Region
from workers.store import account_queries, warehouse_lists

app = command_app("Show and set the warehouses that order lines come from.")
Country = Annotated[str, typer.Option(help="Only what goes to this country, such as CN.")]
Province = Annotated[str, typer.Option(help="Only what goes to this province of it, as addresses have it.")]
REVISION_BEGIN = 1


@app.command("list")
def list_all(
    *,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Show at most so many.")] = 100,
    after: Annotated[str, typer.Option(help="Go on after the list with this id.")] = "",
    output: Output = Format.TABLE,
) -> None:
    """List the lists of warehouses, by id: for which SKU and region each is, and its warehouses, the best first.

    The id is country/province/SKU, and what is empty there stands for any. JSON has the same columns.

    \b
    Examples:
      oms warehouses list
      oms warehouses list -o json | jq '.[] | select(.sku_id == "tea")'
    """

    async def work() -> list[dict[str, Any]]:
        async with connected() as tx:
            return await warehouse_lists.page(tx, after, limit)

    found = run(work())
    write_json(found) if output is Format.JSON else write_table(found)
    more = f"; more: oms warehouses list --after '{found[-1]['id']}'" if len(found) == limit else ""
    say((counted(len(found), "list") if found else "no lists: every line comes from OMS_DEFAULT_WAREHOUSE") + more)


@app.command("show")
def show(
    sku: Annotated[str, typer.Argument(metavar="SKU", help="The id of the SKU.")],
    *,
    country: Country = "",
    province: Province = "",
    output: Output = Format.TABLE,
) -> None:
    """Show where a line of a SKU comes from: the list that counts, and what each of its warehouses has.

    The other lists that cover it come below, in the order in which they would count. Empty lists count for nothing.

    \b
    Examples:
      oms warehouses show tea
      oms warehouses show tea --country CN --province Zhejiang -o json | jq .warehouses
    """
    region = _region(country, province)
    lists, stock = run(_read(sku, region))
    names = warehouse_lists.lists_of(lists).of(sku, *region)
    if not names:
        hint = f"oms warehouses set WAREHOUSE... --sku {sku}"
        why = "its lines come from OMS_DEFAULT_WAREHOUSE"
        raise CommandError(Code.NOTHING, f"no list of warehouses covers {sku} there", why=why, hint=hint)
    shown = [{"warehouse": name, "on_hand": 0, "locked": 0, "available": 0} | stock.get(name, {}) for name in names]
    if output is Format.JSON:
        write_json({"sku_id": sku, "country": country, "province": province, "warehouses": shown, "lists": lists})
        return
    write_table(shown)
    write_table(lists, title="\nlists, the one that counts first")


@app.command("set")
def set_list(
    warehouses: Annotated[
        list[str] | None, typer.Argument(metavar="WAREHOUSE...", help="The warehouses, the best first.")
    ] = None,
    *,
    sku: Annotated[str, typer.Option(help="Only lines of this SKU.")] = "",
    country: Country = "",
    province: Province = "",
    none: Annotated[bool, typer.Option("--none", help="End the list: others count again.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be set and change nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
    wait_seconds: Annotated[float, typer.Option(min=0, help="Wait so long for a worker to do it.")] = 30.0,
    output: Output = Format.TABLE,
) -> None:
    """Set the warehouses that new orders' lines come from which name none: of a SKU, a region, both, or all lines.

    The command publishes warehouses.set with the next revision, as a broker user with the role catalogue
    (OMS_CATALOGUE_AMQP_URL, else OMS_AMQP_URL), and waits until a worker has decided. Orders that are placed keep their
    warehouses.

    \b
    Examples:
      oms warehouses set shanghai-1 chengdu-1 --dry-run
      oms warehouses set chengdu-1 shanghai-1 --country CN --province Sichuan --yes
      oms warehouses set --none --sku ice --yes -o json
    """
    if none == bool(warehouses):
        why = "--none ends a list, so it goes without warehouses"
        hint = "oms warehouses set shanghai-1 chengdu-1, or oms warehouses set --none"
        raise CommandError(Code.FAILED, "name the warehouses, or --none", why=why, hint=hint)
    command = _command(warehouses or [], sku, _region(country, province))
    rows = [{"warehouses": command.warehouses, "id": command.entry_id, "revision": command.revision}]
    if dry_run:
        write_json(rows[0]) if output is Format.JSON else write_table(rows)
        say("dry run: nothing was changed")
        return
    if not yes:
        confirm(f"let new lines of list {command.entry_id} come from {', '.join(command.warehouses) or 'no list'}?")
    send(WarehousesSet, command.json_bytes)
    look = "oms warehouses list"
    ended = run(outcome(command, "catalogue", "catalogue", look, wait_seconds))
    if ended.type in (CommandRejected.TYPE, WarehousesUnchanged.TYPE):
        refused = f"{ended.event.get('code')}: {ended.event.get('message')}"
        why = refused if ended.type == CommandRejected.TYPE else "another set it at the same time"
        raise CommandError(Code.REFUSED, f"list {command.entry_id} is not set", why=why, hint=look)
    write_json(rows[0]) if output is Format.JSON else write_table(rows)
    say(f"list {command.entry_id} is set")


def _region(country: str, province: str) -> Region:
    if province and not country:
        hint = f"--country CN --province {province}"
        raise CommandError(Code.FAILED, "a province has a country: name it too", hint=hint)
    return country, province


def _command(warehouses: list[str], sku: str, region: Region) -> WarehousesSet:
    fields = {"sku_id": sku, "country": region[0], "province": region[1], "warehouses": warehouses}
    given = orjson.dumps(fields | {"revision": REVISION_BEGIN})
    if faults := faults_of(WarehousesSet, given):
        raise CommandError(
            Code.FAILED,
            "the list is not valid; nothing was done",
            why="; ".join(f"{fault['path']}: {fault['message']}" for fault in faults),
            hint="oms warehouses set shanghai-1 chengdu-1 --country CN: each warehouse once, a country in two letters",
        )
    first = WarehousesSet.model_validate_json(given)
    return first.model_copy(update={"revision": run(_next_revision(first))})


async def _next_revision(body: WarehousesSet) -> int:
    async with connected() as tx:
        rows = await warehouse_lists.covering(tx, body.sku_id, (body.country, body.province))
    return next((row["revision"] + 1 for row in rows if row["id"] == body.entry_id), REVISION_BEGIN)


async def _read(sku: str, region: Region) -> tuple[list[dict[str, Any]], dict[str, dict[str, int]]]:
    """Read the lists that cover the SKU there, and what each warehouse has of it."""
    async with connected() as tx, tx.transaction(isolation="repeatable_read", readonly=True):
        lists = await warehouse_lists.covering(tx, sku, region)
        rows = (await account_queries.stock(tx, [sku])).get(sku, ())
    return lists, {
        row["warehouse"]: {
            "on_hand": row["on_hand"],
            "locked": row["locked"],
            "available": row["on_hand"] - row["locked"],
        }
        for row in rows
    }
