"""`oms interventions` lists what people did to timers, to messages in the outbox and to consumers, and why."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from scripts.commands import command_app
from scripts.commands.connections import connected, database_user, person, run
from scripts.commands.decisions import confirm
from scripts.commands.durations import seconds_in
from scripts.commands.listings import ListFormat, ListOutput, write_list
from scripts.commands.output import counted, say
from workers.store import interventions

app = command_app()
Reason = Annotated[str, typer.Option(help="Why; it is recorded for the next person.")]


@app.command()
def list_(
    *,
    since: Annotated[str | None, typer.Option(metavar="TIME", help="Only within this time: 30m, 2h, 3d.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Show at most so many.")] = 50,
    output: ListOutput = ListFormat.TABLE,
) -> None:
    """List what people did to timers, messages and consumers, and why, the newest first.

    `oms dead-letters history` has the decisions about dead letters.

    \b
    Examples:
      oms interventions
      oms interventions --since 2h -o json | jq '.[] | [.at, .actor, .action, .subject, .reason]'
    """
    within = None if since is None else timedelta(seconds=seconds_in(since, hint="oms interventions --since 2h"))

    async def work() -> list[dict[str, Any]]:
        async with connected() as tx:
            return await interventions.recorded(tx, None if within is None else datetime.now(UTC) - within, limit)

    rows = run(work())
    write_list(rows, output, key="subject")
    say(counted(len(rows), "intervention"))


def agreed(question: str, *, dry_run: bool, yes: bool) -> bool:
    """Ask the person, after the plan was shown. False after a dry run; raises CommandError if the answer is no."""
    if dry_run:
        say("dry run: nothing was changed")
        return False
    if not yes:
        confirm(question)
    return True


def done_by() -> str:
    """Say under whose name the database has recorded it."""
    named = person()
    user = database_user()
    return user if named == user else f"{user} ({named})"
