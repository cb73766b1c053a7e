"""`oms stuck` lists everything that waits too long, the oldest first, each with what to do next."""

from datetime import datetime
from typing import Annotated

import typer

from messages.stuck_waits import PAGE_MAX_WAITS, OrderStuck, OrderStuckListed
from scripts.commands import command_app
from scripts.commands.connections import connected, run
from scripts.commands.consumers import say_pauses
from scripts.commands.durations import seconds_in
from scripts.commands.output import Format, Output, counted, say, write_json
from scripts.commands.pages import rest
from scripts.commands.plan import PlanSettings
from scripts.commands.problems import Code, CommandError
from scripts.commands.queries import answered, operator
from scripts.screens import layout
from scripts.screens.stuck_screen import stuck_screen
from workers import shop
from workers.services.stuck_answers import answer_stuck
from workers.views.wait_limits import LIMITS

app = command_app()
HINT = "oms stuck --kind refund --longer-than 2h"


@app.command()
def stuck(
    *,
    kind: Annotated[list[str] | None, typer.Option(help="Only what waits for this; may be repeated.")] = None,
    longer_than: Annotated[
        str | None, typer.Option(metavar="TIME", help="This limit in place of each kind's own: 30m, 2h, 3d.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=PAGE_MAX_WAITS, help="Show at most so many.")] = 20,
    cursor: Annotated[str | None, typer.Option(help="Go on after a page that ended with this.")] = None,
    output: Output = Format.TABLE,
) -> None:
    """List what waits too long, the oldest first, with what to do next.

    These are orders, payments, refunds, hand-overs, parcels, after-sale cases and disputes. Each kind of wait has a
    limit, which OMS_STUCK_AFTER_SECONDS changes. Where a timer should have ended a wait, the time after the timer
    counts. `oms order explain ID` says more about one order. JSON has the fields of order.stuck_listed.

    \b
    Examples:
      oms stuck
      oms stuck --kind refund --kind refund_again
      oms stuck --longer-than 2h
      oms stuck -o json | jq '.stuck[] | [.order_id, .what, .since, .moved_by]'
    """
    longer_seconds = None if longer_than is None else seconds_in(longer_than, hint=HINT)
    found, now = run(ask_stuck(kind or [], longer_seconds, limit, cursor))
    if output is Format.JSON:
        write_json(found.model_dump(mode="json"))
        return
    layout.write(stuck_screen(found, now, layout.screen_columns()))
    total = sum(one.count for one in found.counts)
    say((f"{counted(total, 'wait')} too long" if total else "nothing waits too long") + rest(found.next_cursor))
    say_pauses()


async def ask_stuck(
    kinds: list[str], longer_than_seconds: int | None, limit: int, cursor: str | None
) -> tuple[OrderStuckListed, datetime]:
    """Return a page of what waits too long, and the time of the database.

    Raises CommandError for a kind that there is not, or a wrong cursor.
    """
    if wrong := sorted(set(kinds) - LIMITS.keys()):
        why = f"a kind is one of {', '.join(LIMITS)}"
        raise CommandError(Code.FAILED, f"nothing waits for {wrong[0]}", why=why, hint=HINT)
    shop.configure(PlanSettings().shop)
    wanted = {"what": tuple(kinds), "longer_than_seconds": longer_than_seconds, "limit": limit, "cursor": cursor}
    body = OrderStuck.model_validate({"actor": operator()} | wanted)
    async with connected() as tx, tx.transaction(isolation="repeatable_read", readonly=True):
        now: datetime = await tx.fetchval("SELECT now()")
        return await answered(tx, body, answer_stuck, OrderStuckListed, hint="oms stuck --help"), now
