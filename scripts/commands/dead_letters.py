"""`oms dead-letters`: look at what could not be handled, and decide what becomes of it."""

from collections.abc import Sequence
from typing import Annotated, Any

import orjson
import typer

from db.pool import Transaction
from messages.topology import QUEUES
from scripts.commands import command_app
from scripts.commands.connecting import actor, connected, run
from scripts.commands.deciding import Row, all_of, decide, summary
from scripts.commands.output import Format, Output, say, write_json, write_table
from scripts.commands.problems import Code, CommandError
from workers.domain.masking import masked
from workers.services import dead_letters as decisions
from workers.store import dead_letters

app = command_app("What could not be handled: list, show, replay, discard.")

Ids = Annotated[list[int], typer.Argument(help="Ids, as `oms dead-letters list` shows them.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the plan and change nothing.")]
UNROUTED = "unrouted"


@app.command("list")
def list_(
    *,
    queue: Annotated[str | None, typer.Option(help="Only of this queue, without the prefix.")] = None,
    reason: Annotated[str | None, typer.Option(help="Only with this reason.")] = None,
    type: Annotated[str | None, typer.Option(help="Only of this message type, such as order.create.v1.")] = None,
    state: Annotated[str, typer.Option(help="open, replayed, discarded or any.")] = dead_letters.OPEN,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many, newest first.")] = 50,
    output: Output = Format.TABLE,
) -> None:
    """List dead letters, newest first. Nothing personal is shown.

    \b
    Examples:
      oms dead-letters list
      oms dead-letters list --queue order-creation --reason invalid
      oms dead-letters list --state any -o json | jq '.[].id'
    """
    wanted = None if state == "any" else state
    if wanted not in (None, dead_letters.OPEN, dead_letters.REPLAYED, dead_letters.DISCARDED):
        hint = "oms dead-letters list --state open"
        raise CommandError(Code.FAILED, f"there is no state {state}", why="open, replayed, discarded or any", hint=hint)

    async def work() -> list[dict[str, Any]]:
        async with connected() as tx:
            return await dead_letters.find(tx, state=wanted, queue=queue, reason=reason, type=type, limit=limit)

    rows = run(work())
    if output is Format.JSON:
        write_json(rows)
        return
    write_table([summary(row) for row in rows])
    say(f"{len(rows)} dead letters" + (f" (the newest; --limit {limit})" if len(rows) == limit else ""))


@app.command("show")
def show(
    id: Annotated[int, typer.Argument(help="The id, as `oms dead-letters list` shows it.")],
    reveal: Annotated[bool, typer.Option("--reveal", help="Show personal data as it is.")] = False,
    output: Output = Format.TABLE,
) -> None:
    """Show one dead letter: what is known, its headers, its body, what was decided. Personal data is masked.

    \b
    Examples:
      oms dead-letters show 17
      oms dead-letters show 17 -o json | jq .body
    """

    async def work() -> dict[str, Any]:
        async with connected() as tx:
            (row,) = all_of([id], await dead_letters.read(tx, [id]))
            actions = [dict(action) for action in await dead_letters.actions(tx, id)]
            return _whole(row, reveal=reveal) | {"actions": actions}

    letter = run(work())
    if output is Format.JSON:
        write_json(letter)
        return
    nested = ("headers", "body", "actions")
    write_table([{"field": name, "value": value} for name, value in letter.items() if name not in nested])
    for name in nested:
        typer.echo(f"\n{name}")
        write_json(letter[name])


@app.command("replay")
def replay(
    ids: Ids,
    *,
    reason: Annotated[str, typer.Option(help="Why it will work now; kept with the letter.")],
    to: Annotated[str | None, typer.Option(help="The queue for unrouted messages, without the prefix.")] = None,
    again: Annotated[bool, typer.Option("--again", help="Also letters that were replayed before.")] = False,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Send messages once more, each to the queue where it died and to no other, under its own message id.

    What was handled after all is not handled twice. All of the given ids are replayed, or none: unknown ids, discarded
    letters and messages that their queue does not take refuse the whole.

    \b
    Examples:
      oms dead-letters replay 17 18 --reason "catalogue repaired" --dry-run
      oms dead-letters replay 21 --reason "the key was mistyped" --to order-creation --yes
    """
    if to is not None and to not in QUEUES:
        why = f"there is: {', '.join(QUEUES)}"
        raise CommandError(Code.FAILED, f"no queue {to}", why=why, hint="oms topology show")

    why_now = _reason("replay", ids, reason)

    def judge(row: Row) -> tuple[str, str]:
        return _target(row, to), _objection(row, to, again=again)

    async def act(tx: Transaction, rows: Sequence[Row]) -> None:
        for queue in sorted({_target(row, to) for row in rows}):
            same = [row for row in rows if _target(row, to) == queue]
            await decisions.replay(tx, same, to=queue, actor=actor(), reason=why_now)

    decide("replay", ids, judge, act, dry_run=dry_run, yes=yes)


@app.command("discard")
def discard(
    ids: Ids,
    reason: Annotated[str, typer.Option(help="Why nobody needs it; kept with the letter.")],
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Give messages up. Their rows stay, with who did it, when and why; a discarded letter cannot be replayed.

    \b
    Examples:
      oms dead-letters discard 17 --reason "test traffic of the checkout team"
    """
    why_not = _reason("discard", ids, reason)

    def judge(row: Row) -> tuple[str, str]:
        return "-", "" if row["state"] == dead_letters.OPEN else f"is {row['state']} already"

    async def act(tx: Transaction, rows: Sequence[Row]) -> None:
        await decisions.discard(tx, rows, actor=actor(), reason=why_not)

    decide("discard", ids, judge, act, dry_run=dry_run, yes=yes)


def _reason(verb: str, ids: Sequence[int], given: str) -> str:
    """What is recorded. Raises CommandError for a blank one."""
    if not given.strip():
        hint = f"oms dead-letters {verb} {ids[0]} --reason '...'"
        raise CommandError(Code.FAILED, "a reason is needed", why="whoever looks next will ask", hint=hint)
    return given.strip()


def _target(row: Row, to: str | None) -> str:
    return (to or "-") if row["queue"] == UNROUTED else str(row["queue"])


def _objection(row: Row, to: str | None, *, again: bool) -> str:
    """Why a letter may not be replayed; empty when it may."""
    target, state, unrouted = _target(row, to), row["state"], row["queue"] == UNROUTED
    taken = {model.TYPE for model in QUEUES.get(target, ())}
    objections = (
        (state == dead_letters.DISCARDED, "was discarded"),
        (state == dead_letters.REPLAYED and not again, "was replayed already (--again does it once more)"),
        (unrouted and to is None, "was published to a key that nobody takes: name its queue with --to"),
        (not unrouted and to not in (None, row["queue"]), f"died in {row['queue']} and goes nowhere else"),
        (row["type"] is None, "has no type: nobody takes it"),
        (row["type"] not in taken, f"is {row['type']}, which {target} does not take"),
    )
    return next((objection for holds, objection in objections if holds), "")


def _whole(row: Row, *, reveal: bool) -> dict[str, Any]:
    body, headers = dead_letters.opened(row)
    hidden = ("body", "headers", "body_hash", "key_id")
    shown = {name: value for name, value in row.items() if name not in hidden}
    return shown | {"headers": _parsed(headers, reveal), "body": _parsed(body, reveal)}


def _parsed(data: bytes, reveal: bool) -> Any:
    """JSON as such; anything else as text, which cannot be masked and is shown only when asked for."""
    try:
        value = orjson.loads(data)
    except (ValueError, RecursionError):
        return data.decode("utf-8", "backslashreplace") if reveal else f"{len(data)} bytes that are not JSON (--reveal)"
    return value if reveal else masked(value)
