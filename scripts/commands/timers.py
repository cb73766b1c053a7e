"""`oms timers` shows the timers: what each waits for, when it is due, and how often it was woken."""

from typing import Annotated

import typer

from db.statements import SQL
from scripts.commands import command_app
from scripts.commands.connections import connected, run
from scripts.commands.durations import seconds_in
from scripts.commands.listings import ListFormat, ListOutput, write_list
from scripts.commands.output import counted, say
from scripts.commands.problems import Code, CommandError
from workers.store.timers import TimerKind

app = command_app("List timers.")
HINT = "oms timers list --kind payment --within 2h"


@app.callback()
def group() -> None:
    """List timers."""  # with a callback, typer keeps the word `list` of the only command


@app.command("list")
def list_(
    *,
    kind: Annotated[list[str] | None, typer.Option(help=f"Only these, of {', '.join(TimerKind)}.")] = None,
    within: Annotated[
        str, typer.Option(metavar="TIME", help="Those that are woken within this time; 0s: those that are late.")
    ] = "1h",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Show at most so many.")] = 50,
    output: ListOutput = ListFormat.TABLE,
) -> None:
    """List the timers that will be woken soon, or should have been, the next first.

    `key` is the id of what waits: an order, a payment attempt, a refund, a waybill, a case or a dispute. `wakes` counts
    how often timer.due was sent for it in a row, and `next_wake` is when it will be sent again. If that was often, no
    worker handles timer.due, or the timer waits for what `oms order explain ID` names.

    \b
    Examples:
      oms timers list
      oms timers list --within 0s
      oms timers list --kind payment --kind receipt --within 1d -o json
    """
    if unknown := sorted(set(kind or ()) - set(TimerKind)):
        why = f"the kinds are: {', '.join(TimerKind)}"
        raise CommandError(Code.FAILED, f"there is no kind of timer {unknown[0]}", why=why, hint=HINT)
    seconds = seconds_in(within, hint=HINT)

    async def work() -> list[dict[str, object]]:
        async with connected() as tx:
            return [dict(row) for row in await tx.fetch(SQL["doctor.timers"], kind or None, seconds, limit + 1)]

    rows = run(work())
    shown = rows[:limit]
    write_list(shown, output, key="key")
    say(counted(len(shown), "timer") + ("; there are more: add --limit" if len(rows) > limit else ""))
