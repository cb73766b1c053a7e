"""`oms dead-letters` shows the messages that could not be handled, and replays or discards them."""

from collections.abc import Mapping, Sequence, Set
from difflib import get_close_matches
from typing import Annotated, Any

import orjson
import typer

from db.cipher import ERASED, ErasedError
from db.pool import Transaction
from messages.reasons import BROKER_REASONS, Reason
from messages.registry import MODELS
from messages.topology import QUEUES, messages_of
from scripts.commands import command_app
from scripts.commands.connections import connected, person, run
from scripts.commands.decisions import DeadLetter, all_of, decide, summary
from scripts.commands.output import Format, Output, counted, say, write_json, write_table
from scripts.commands.problems import Code, CommandError
from workers.domain.masking import masked
from workers.services import dead_letters as decisions
from workers.store import accesses, dead_letters

app = command_app("List, show, replay and discard messages that failed.")

Ids = Annotated[list[int], typer.Argument(help="The ids that `oms dead-letters list` shows.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the plan and change nothing.")]
UNROUTED = "unrouted"


@app.command("list")
def list_(
    *,
    queue: Annotated[str | None, typer.Option(help="Only of this queue, named without the prefix.")] = None,
    reason: Annotated[str | None, typer.Option(help="Only with this reason.")] = None,
    type: Annotated[str | None, typer.Option(help="Only of this type, such as order.create.v1.")] = None,
    state: Annotated[str, typer.Option(help="One of: open, replayed, discarded, any.")] = dead_letters.OPEN,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Show at most so many.")] = 50,
    output: Output = Format.TABLE,
) -> None:
    """List dead letters, the newest first, without personal data.

    \b
    Examples:
      oms dead-letters list
      oms dead-letters list --queue order-creation --reason invalid
      oms dead-letters list --state any -o json | jq '.[].id'
    """
    wanted = None if state == "any" else state
    if wanted not in (None, dead_letters.OPEN, dead_letters.REPLAYED, dead_letters.DISCARDED):
        hint = "oms dead-letters list --state open"
        raise CommandError(
            Code.FAILED, f"there is no state {state}", why="states are open, replayed, discarded and any", hint=hint
        )

    filters = {"queue": queue, "reason": reason, "type": type}

    async def work() -> tuple[list[dict[str, Any]], int]:
        async with connected() as tx:
            rows = await dead_letters.find(tx, state=wanted, **filters, limit=limit)
            if not rows:
                _refuse_unknown(filters, await dead_letters.values(tx))
            full = len(rows) == limit
            return rows, await dead_letters.count(tx, state=wanted, **filters) if full else len(rows)

    rows, total = run(work())
    write_json(rows) if output is Format.JSON else write_table([summary(row) for row in rows])
    hidden = f", of which the newest {len(rows)} are shown; --limit shows more" if total > len(rows) else ""
    say(counted(total, "dead letter") + hidden)


def _refuse_unknown(filters: Mapping[str, str | None], stored: Mapping[str, Set[str]]) -> None:
    """Raise CommandError for a value that no letter can have: it is mistyped, and "none" would be a wrong answer."""
    known = {"queue": {*QUEUES, UNROUTED}, "reason": {*Reason, *BROKER_REASONS}, "type": {*MODELS}}
    for name, value in filters.items():
        if value is not None and value not in (possible := sorted(known[name] | stored[name])):
            close = get_close_matches(value, possible, n=1) or ["..."]
            why = f"the {name}s are: {', '.join(possible)}"
            hint = f"oms dead-letters list --{name} {close[0]}"
            raise CommandError(Code.FAILED, f"there is no {name} {value}", why=why, hint=hint)


@app.command("show")
def show(
    id: Annotated[int, typer.Argument(help="The id that `oms dead-letters list` shows.")],
    reveal: Annotated[bool, typer.Option("--reveal", help="Show personal data in clear; it is recorded.")] = False,
    reason: Annotated[str, typer.Option(help="With --reveal: why you must see it.")] = "",
    output: Output = Format.TABLE,
) -> None:
    """Show one dead letter with its headers, body and decisions.

    Personal data is masked unless --reveal is given: then table address_accesses records who looked, when and why.

    \b
    Examples:
      oms dead-letters show 17
      oms dead-letters show 17 -o json | jq .body
      oms dead-letters show 17 --reveal --reason "which field has the wrong type"
    """
    if not reveal and reason:
        hint = f"oms dead-letters show {id} --reveal --reason '...'"
        raise CommandError(Code.FAILED, "a reason is for --reveal only", hint=hint)
    if reveal and not reason.strip():
        why = "it is recorded who sees personal data in clear, when and why"
        hint = f"oms dead-letters show {id} --reveal --reason '...'"
        raise CommandError(Code.FAILED, "a reason is needed", why=why, hint=hint)

    async def work() -> dict[str, Any]:
        async with connected() as tx:
            (row,) = all_of([id], await dead_letters.read(tx, [id]))
            if reveal:  # recorded first, so that no look goes without its record
                await accesses.of_letter(tx, id, note=person(), reason=reason.strip())
            actions = [dict(action) for action in await dead_letters.actions(tx, id)]
            looks = await accesses.of_dead_letters(tx, [id])
            return _whole(row, reveal=reveal) | {"actions": actions, "accesses": looks}

    dead_letter = run(work())
    if output is Format.JSON:
        write_json(dead_letter)
        return
    nested = ("headers", "body", "actions", "accesses")
    write_table([{"field": name, "value": value} for name, value in dead_letter.items() if name not in nested])
    for name in nested:
        typer.echo(f"\n{name}")
        write_json(dead_letter[name])


@app.command("replay")
def replay(
    ids: Ids,
    *,
    reason: Annotated[str, typer.Option(help="Why it will work now. It is recorded.")],
    to: Annotated[str | None, typer.Option(help="The queue for an unrouted message, without the prefix.")] = None,
    again: Annotated[bool, typer.Option("--again", help="Replay also what was replayed before.")] = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    output: Output = Format.TABLE,
) -> None:
    """Send dead letters again, each to the queue where it failed.

    A message keeps its message id, so one that was handled after all is not handled twice. The command replays all of
    the ids or none: it refuses if an id is unknown or discarded, or if its queue does not take the message.

    \b
    Examples:
      oms dead-letters replay 17 18 --reason "catalogue repaired" --dry-run
      oms dead-letters replay 21 --reason "the key was mistyped" --to order-creation --yes
    """
    if to is not None and to not in QUEUES:
        why = f"the queues are: {', '.join(QUEUES)}"
        raise CommandError(Code.FAILED, f"no queue {to}", why=why, hint="oms topology show")

    why_now = _reason("replay", ids, reason)

    def plan(row: DeadLetter) -> tuple[str, str]:
        return _target(row, to), _objection(row, to, again=again)

    async def act(tx: Transaction, rows: Sequence[DeadLetter]) -> None:
        for queue in sorted({_target(row, to) for row in rows}):
            same = [row for row in rows if _target(row, to) == queue]
            await decisions.replay(tx, same, to=queue, note=person(), reason=why_now)

    decide("replay", ids, plan, act, dry_run=dry_run, yes=yes, output=output)


@app.command("discard")
def discard(
    ids: Ids,
    reason: Annotated[str, typer.Option(help="Why nobody needs the message. It is recorded.")],
    dry_run: DryRun = False,
    yes: Yes = False,
    output: Output = Format.TABLE,
) -> None:
    """Give dead letters up: they can never be replayed.

    The rows stay, with who discarded them, when and why.

    \b
    Examples:
      oms dead-letters discard 17 --reason "test traffic of the checkout team"
    """
    why_not = _reason("discard", ids, reason)

    def plan(row: DeadLetter) -> tuple[str, str]:
        return "-", "" if row["state"] == dead_letters.OPEN else f"is already {row['state']}"

    async def act(tx: Transaction, rows: Sequence[DeadLetter]) -> None:
        await decisions.discard(tx, rows, note=person(), reason=why_not)

    decide("discard", ids, plan, act, dry_run=dry_run, yes=yes, output=output)


def _reason(verb: str, ids: Sequence[int], given: str) -> str:
    """Return the reason to record. Raises CommandError if it is blank."""
    if not given.strip():
        hint = f"oms dead-letters {verb} {ids[0]} --reason '...'"
        raise CommandError(
            Code.FAILED,
            "a reason is needed",
            why="it is recorded for the next person who looks at the dead letter",
            hint=hint,
        )
    return given.strip()


def _target(row: DeadLetter, to: str | None) -> str:
    return (to or "-") if row["queue"] == UNROUTED else str(row["queue"])


def _objection(row: DeadLetter, to: str | None, *, again: bool) -> str:
    """Return why a dead letter may not be replayed; empty if it may."""
    target, state, unrouted = _target(row, to), row["state"], row["queue"] == UNROUTED
    taken = {model.TYPE for model in messages_of(target)}
    objections = (
        (state == dead_letters.DISCARDED, "was discarded"),
        (row["key_id"] == ERASED, "is erased, because the user whom it names was: discard it"),
        (state == dead_letters.REPLAYED and not again, "was already replayed (--again replays it once more)"),
        (unrouted and to is None, "was published to a routing key that no queue takes: name its queue with --to"),
        (not unrouted and to not in (None, row["queue"]), f"failed in {row['queue']} and goes nowhere else"),
        (row["type"] is None, "has no type, so no queue takes it"),
        (row["type"] not in taken, f"is {row['type']}, which {target} does not take"),
    )
    return next((objection for holds, objection in objections if holds), "")


def _whole(row: DeadLetter, *, reveal: bool) -> dict[str, Any]:
    hidden = ("body", "headers", "body_hash", "key_id")
    shown = {name: value for name, value in row.items() if name not in hidden}
    try:
        body, headers = dead_letters.opened(row)
    except ErasedError:
        return shown | {"headers": ERASED, "body": ERASED}
    return shown | {"headers": _parsed(headers, reveal), "body": _parsed(body, reveal)}


def _parsed(data: bytes, reveal: bool) -> Any:
    """Parse JSON and mask it. Other data cannot be masked: it is text with --reveal, and only its size without."""
    try:
        value = orjson.loads(data)
    except (ValueError, RecursionError):
        return data.decode("utf-8", "backslashreplace") if reveal else f"{len(data)} bytes that are not JSON (--reveal)"
    return value if reveal else masked(value)
