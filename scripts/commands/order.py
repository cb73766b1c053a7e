"""`oms order` shows and explains one order to a support person, finds and imports orders, lists what is held.

With --view an order is shown in a source document's tables, with --rows as the database has it.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, Any

import typer

from db.statements import SQL
from scripts.commands import command_app, order_importing
from scripts.commands.connections import connected, person, run
from scripts.commands.consumers import say_pauses
from scripts.commands.output import Format, Output, counted, say, write_json, write_table
from scripts.commands.problems import Code, CommandError
from scripts.commands.recorded_reasons import reason_to_record
from scripts.screens import layout, order_archive, order_rows, order_search
from scripts.screens.explanation_screen import explanation_screen
from scripts.screens.order_loading import OrderPage, read_page, record_access
from scripts.screens.order_screen import order_screen
from scripts.screens.order_search import Search
from scripts.screens.timeline import timeline_document, timeline_screen
from workers.store import holds

app = command_app("Show, explain, find and import orders, and list what is held.")

Order = Annotated[str, typer.Argument(metavar="ID", help="The id, the number or the UUID of the order.")]


class Source(StrEnum):
    """The source documents, which tests/requirements.md names. An order can be shown in the tables of each."""

    S0 = "s0"
    S1 = "s1"
    S2 = "s2"
    S3 = "s3"
    S4 = "s4"


class ListFormat(StrEnum):
    """The formats of a list: `ids` is one id a line, for a loop of the shell."""

    TABLE = "table"
    JSON = "json"
    IDS = "ids"


@app.command("show")
def show(
    order: Order,
    *,
    reveal: Annotated[bool, typer.Option("--reveal", help="Show address and note in clear; it is recorded.")] = False,
    reason: Annotated[str, typer.Option(help="With --reveal: why you must see them.")] = "",
    view: Annotated[
        Source | None, typer.Option("--view", help="Show the order in the tables of this source document.")
    ] = None,
    rows: Annotated[bool, typer.Option("--rows", help="Show the rows of the database, with stock and points.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON, like -o json.")] = False,
    output: Output = Format.TABLE,
) -> None:
    """Show one order: how it stands and what it waits for, what happened, and everything that belongs to it.

    That is its lines, payments, refunds, parcels, hand-overs and holds, the commands about it, its dead letters and its
    unpublished events. The address is masked, and so are phone numbers in the operators' note. JSON has the fields of
    order.described, and more.

    \b
    Examples:
      oms order show 379226153377300480
      oms order show 202611220000000001 -o json | jq .steps
      oms order show 202611220000000001 --reveal --reason "the carrier asks for the house number"
      oms order show 00000000-0000-0000-0543-4f8d92000000 --view s3
    """
    as_json = json or output is Format.JSON
    if view is not None or rows:
        if reveal or (view is not None and rows):
            why = "--view, --rows and --reveal show different things"
            raise CommandError(Code.FAILED, "one of them at a time", why=why, hint=f"oms order show {order}")
        _show_stored(order, view, as_json=as_json)
        return
    if not reveal and reason:
        hint = f"oms order show {order} --reveal --reason '...'"
        raise CommandError(Code.FAILED, "a reason is for --reveal only", hint=hint)
    page = run(revealed_page(order, reason, person()) if reveal else order_page(order))
    if as_json:
        write_json(page.document())
    else:
        _write(page, order_screen)


def _write(page: OrderPage, screen: Callable[[OrderPage, int], layout.Lines]) -> None:
    """Write the screen of an order. If it waits, the queues that a person has paused are named below it."""
    layout.write(screen(page, layout.screen_columns()))
    if page.explained.awaits:
        say_pauses()


def _show_stored(order: str, view: Source | None, *, as_json: bool) -> None:
    if view is None:
        found = run(order_rows.read_rows(order))
        write_json(found) if as_json else order_rows.write_parts(found)
        return
    shown = run(order_rows.read_view(order, view.value))
    write_json(shown.document) if as_json else order_rows.write_view(shown)


async def order_page(order: str, *, reveal: bool = False) -> OrderPage:
    """Read all that is known about an order, as of one moment. Raises CommandError if there is none of this name."""
    async with connected() as tx, tx.transaction(isolation="repeatable_read", readonly=True):
        return await read_page(tx, order, reveal=reveal)


async def revealed_page(order: str, reason: str, note: str) -> OrderPage:
    """Record the access, then read the page with the address in clear: no look goes without its record.

    Raises CommandError without a reason, and as `order_page` does.
    """
    hint = f"oms order show {order} --reveal --reason '...'"
    given = reason_to_record(reason, hint, why="it is recorded who sees an address in clear, when and why")
    async with connected() as tx, tx.transaction():
        await record_access(tx, order, given, note)
    return await order_page(order, reveal=True)


@app.command("timeline")
def show_timeline(order: Order, output: Output = Format.TABLE) -> None:
    """Show what happened to an order: each step with its cause, who acted, and how long after the one before it came.

    Payments, refunds, hand-overs, parcels and dead letters stand between the steps, and so do the steps of the children
    of a split order. JSON has the fields of order.history_listed, and more.

    \b
    Examples:
      oms order timeline 379226153377300480
      oms order timeline 202611220000000001 -o json | jq '.steps[] | [.trigger, .after_seconds]'
    """
    page = run(order_page(order))
    if output is Format.JSON:
        write_json(timeline_document(page))
    else:
        layout.write(timeline_screen(page, layout.screen_columns()))


@app.command("explain")
def explain(order: Order, output: Output = Format.TABLE) -> None:
    """Explain an order: why it is in its state, what it waits for and from whom, and what would move it.

    Dead letters that name the order stand at the end. JSON has the fields of order.explained.

    \b
    Examples:
      oms order explain 379226153377300480
      oms order explain 202611220000000001 -o json | jq '.awaits[] | [.what, .whom, .name, .until]'
    """
    page = run(order_page(order))
    if output is Format.JSON:
        write_json(page.explained.model_dump(mode="json"))
    else:
        _write(page, explanation_screen)


@app.command("find")
def find(
    *,
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="An id, UUID, or number of any kind.")] = None,
    user: Annotated[str | None, typer.Option(help="Only orders of this user.")] = None,
    state: Annotated[list[str] | None, typer.Option(help="Only in this state; may be repeated.")] = None,
    since: Annotated[
        str | None, typer.Option("--from", help="Created at or after: 2026-11-21, a time, 3d, 2h.")
    ] = None,
    before: Annotated[str | None, typer.Option(help="Created before this time, written as for --from.")] = None,
    order_no: Annotated[str | None, typer.Option(help="With this order number.")] = None,
    tracking_no: Annotated[str | None, typer.Option(help="With a parcel of this tracking number.")] = None,
    trade_no: Annotated[str | None, typer.Option(help="With this trade number of a provider, or ours for it.")] = None,
    request_id: Annotated[str | None, typer.Option(help="Placed by this request; needs --user.")] = None,
    sku: Annotated[str | None, typer.Option(help="With a line of this SKU.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100, help="Orders of a page.")] = 20,
    cursor: Annotated[str | None, typer.Option(help="Show the page after the one that ended with this cursor.")] = None,
    output: Annotated[
        ListFormat, typer.Option("--output", "-o", envvar="OMS_OUTPUT", help="Write a table, JSON or ids.")
    ] = ListFormat.TABLE,
) -> None:
    """Find orders by any of their numbers, by user, state, time or SKU, the newest first.

    NAME may be an order's id, UUID or number, a tracking number, or a trade number. Without a NAME all given options
    must fit. JSON has the fields of order.listed.

    \b
    Examples:
      oms order find SF1029384756
      oms order find --user u1 --state paid --state fulfilling
      oms order find --sku s1 --from 3d -o ids
    """
    search = Search(
        user_id=user, states=tuple(state or ()), created_from=since, created_before=before, order_no=order_no,
        tracking_no=tracking_no, trade_no=trade_no, request_id=request_id, sku_id=sku, limit=limit, cursor=cursor,
    )  # fmt: skip
    found = run(order_search.search(name, search))
    listed = found.listed
    match output:
        case ListFormat.JSON:
            write_json(listed.model_dump(mode="json"))
        case ListFormat.IDS:
            typer.echo("".join(f"{one.order_id}\n" for one in listed.orders), nl=False)
        case ListFormat.TABLE:
            layout.write(order_search.listing(listed.orders, layout.screen_columns()))
    say(counted(len(listed.orders), "order") + (f"; more: {found.more}" if found.more else ""))


@app.command("import")
def import_orders(
    file: Annotated[str, typer.Argument(metavar="FILE", help="One order a line, in JSON; - reads stdin.")],
    *,
    operator: Annotated[str, typer.Option("--as", help="Your id, where a line names no actor.")] = "oms-cli",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check every line and send nothing.")] = False,
    wait_seconds: Annotated[float, typer.Option(min=1, help="How long to wait for each 200 orders.")] = 60.0,
    output: Output = Format.TABLE,
) -> None:
    """Bring orders that another system has ended. Each line is a body of order.import.

    A line that is wrong in itself is listed, and the others are sent. The command waits for each outcome and
    lists the rejected ones; then it exits with 4. It may be run again: orders that are here stay as they are.

    \b
    Examples:
      oms order import old-orders.ndjson --dry-run
      oms order import old-orders.ndjson --as ops-7
    """
    lines = order_importing.read_lines(file, operator)
    if not dry_run:
        order_importing.bring(lines, wait_seconds)
    failed = [line.shown() for line in lines if line.fault]
    if failed:
        write_json(failed) if output is Format.JSON else write_table(failed)
    did = "are right; dry run: nothing was sent" if dry_run else "are here"
    say(f"{len(lines) - len(failed)} of {counted(len(lines), 'order')} {did}")
    if failed:
        raise CommandError(Code.PARTLY, f"{counted(len(failed), 'order')} could not be taken", hint="see the list")


@app.command("archived")
def show_archived(order: Order, output: Output = Format.TABLE) -> None:
    """Show an order that ended long ago and is archived: how it ended, and its lines.

    JSON has the fields of archived_order.shown: its `document` is all that was kept, as it was stored.

    \b
    Examples:
      oms order archived 379226153377300480
      oms order archived 202611220000000001 -o json | jq .document.log
    """
    shown = run(order_archive.read(order))
    if output is Format.JSON:
        write_json(shown.model_dump(mode="json"))
    else:
        layout.write(order_archive.screen(shown, layout.screen_columns()))


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
