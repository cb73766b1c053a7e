"""`oms outbox` shows the messages that the broker does not take, and has them tried again."""

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from db.statements import SQL
from outbox.announcement import MUST_ROUTE
from outbox.outcome import PublishOutcome
from scripts.commands import command_app
from scripts.commands.connections import connected, run
from scripts.commands.output import Format, Output, counted, say, write_json, write_table
from scripts.commands.problems import Code, CommandError

app = command_app("List and retry messages that the broker does not take.")

REASONS = sorted(outcome for outcome in PublishOutcome if outcome.concerns_message)
Ids = Annotated[list[int], typer.Argument(help="The ids that `oms outbox list` shows.")]


@app.command("list")
def list_(
    *,
    destination: Annotated[str | None, typer.Option(help=f"Only for this one: {', '.join(MUST_ROUTE)}.")] = None,
    reason: Annotated[str | None, typer.Option(help=f"Only with this reason: {', '.join(REASONS)}.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Show at most so many.")] = 50,
    output: Output = Format.TABLE,
) -> None:
    """List the messages that are held, the oldest first, without their bodies.

    `behind` is the number of messages of the same order that wait for this one. `refused` and `error` stand for
    messages that fail whenever they are sent; the others go out as soon as their queue or exchange takes them.

    \b
    Examples:
      oms outbox list
      oms outbox list --reason refused
      oms outbox list --destination reply -o json | jq '.[].routing_key'
    """
    _refuse_unknown("destination", destination, list(MUST_ROUTE))
    _refuse_unknown("reason", reason, REASONS)

    async def work() -> tuple[list[dict[str, Any]], int]:
        async with connected() as tx:
            rows = await tx.fetch(SQL["outbox.list_held"], destination, reason, limit)
            return [dict(row) for row in rows], await tx.fetchval(SQL["outbox.count_held"], destination, reason)

    rows, total = run(work())
    write_json(rows) if output is Format.JSON else write_table(rows)
    hidden = f", of which the oldest {len(rows)} are shown; --limit shows more" if total > len(rows) else ""
    say(counted(total, "held message") + hidden)


@app.command("retry")
def retry(ids: Ids, output: Output = Format.TABLE) -> None:
    """Try held messages again at once. It does no harm: one that is refused again is held again.

    \b
    Examples:
      oms outbox retry 4711
      oms outbox retry $(oms outbox list --reason nacked -o json | jq '.[].id')
    """
    wanted = sorted(set(ids))

    async def work() -> list[int]:
        async with connected() as tx, tx.transaction():
            freed = [row["id"] for row in await tx.fetch(SQL["outbox.retry"], wanted)]
            if missing := sorted(set(wanted) - set(freed)):
                named = ", ".join(map(str, missing[:5]))
                raise CommandError(
                    Code.NOTHING, f"no held message {named}", why="nothing was done", hint="oms outbox list"
                )
        return freed

    freed = run(work())
    if output is Format.JSON:
        write_json([{"id": id} for id in freed])
    say(f"{counted(len(freed), 'message')} will be tried again at once")


def _refuse_unknown(name: str, value: str | None, known: Sequence[str]) -> None:
    if value is not None and value not in known:
        why = f"the {name}s are: {', '.join(known)}"
        raise CommandError(Code.FAILED, f"there is no {name} {value}", why=why, hint=f"oms outbox list --{name} ...")
