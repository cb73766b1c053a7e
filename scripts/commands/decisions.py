"""Decisions about dead letters: show a plan, ask the person, then do exactly that plan or nothing."""

import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import typer

from db.pool import Transaction
from scripts.commands.connections import connected, database_user, run
from scripts.commands.output import Format, counted, say, write_json, write_table
from scripts.commands.problems import Code, CommandError
from workers.store import dead_letters

DeadLetter = Mapping[str, Any]
"""One row of table dead_letters."""
Action = Callable[[Transaction, Sequence[DeadLetter]], Awaitable[None]]
Planner = Callable[[DeadLetter], tuple[str, str]]
"""Returns the queue that a dead letter would go to, and the objection to that (empty if there is none)."""


def decide(
    verb: str, ids: Sequence[int], plan: Planner, act: Action, *, dry_run: bool, yes: bool, output: Format
) -> None:
    """Show the plan, ask for confirmation, act. Before `act` is called the rows are locked and must be as planned."""
    wanted = sorted(set(ids))

    async def read() -> list[dict[str, Any]]:
        async with connected() as tx:
            return all_of(wanted, await dead_letters.read(tx, wanted))

    async def work(planned: Sequence[DeadLetter]) -> None:
        async with connected() as tx, tx.transaction():
            rows = all_of(wanted, await dead_letters.lock(tx, wanted))
            if [(row["state"], row["repeats"]) for row in rows] != [(row["state"], row["repeats"]) for row in planned]:
                hint = "oms dead-letters list --state any, and decide again"
                raise CommandError(Code.REFUSED, "the dead letters changed meanwhile; nothing was done", hint=hint)
            await act(tx, rows)

    rows = run(read())
    _show_plan(verb, rows, plan, output)
    if dry_run:
        say("dry run: nothing was changed")
        return
    if not yes:
        confirm(f"{verb} {counted(len(rows), 'dead letter')}?")
    run(work(rows))
    done = {"replay": "replayed", "discard": "discarded"}[verb]
    say(f"{done} {counted(len(rows), 'dead letter')} as {database_user()}")


def _show_plan(verb: str, rows: Sequence[DeadLetter], plan: Planner, output: Format) -> None:
    """Print what would happen. Raises CommandError if there is an objection to one of the rows."""
    verdicts = [plan(row) for row in rows]
    columns = [
        summary(row) | {"to": target, "plan": f"refused: {objection}" if objection else verb}
        for row, (target, objection) in zip(rows, verdicts, strict=True)
    ]
    write_json(columns) if output is Format.JSON else write_table(columns)
    refused = [f"{row['id']} {objection}" for row, (_, objection) in zip(rows, verdicts, strict=True) if objection]
    if refused:
        raise CommandError(
            Code.REFUSED,
            f"cannot {verb} {len(refused)} of {counted(len(rows), 'dead letter')}; nothing was done",
            why="; ".join(refused[:5]),
            hint=f"oms dead-letters show {refused[0].split()[0]}",
        )


def confirm(question: str) -> None:
    """Ask the person at the terminal. Raises CommandError if there is none, or if the answer is no."""
    if not sys.stdin.isatty():
        why = "standard input is not a terminal, so the plan cannot be confirmed"
        hint = "the same command with --yes, or with --dry-run"
        raise CommandError(Code.REFUSED, "nothing was done", why=why, hint=hint)
    if not typer.confirm(question, err=True):
        raise CommandError(Code.REFUSED, "nothing was done", why="the answer was no")


def all_of(ids: Sequence[int], rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows. Raises CommandError if one of the ids has no row."""
    missing = sorted(set(ids) - {row["id"] for row in rows})
    if missing:
        named = ", ".join(map(str, missing[:5]))
        hint = "oms dead-letters list --state any"
        raise CommandError(Code.NOTHING, f"no dead letter {named}", why="nothing was done", hint=hint)
    return rows


def summary(row: DeadLetter) -> dict[str, Any]:
    """Return the columns of one line of a list."""
    error = " ".join(str(row[name]) for name in ("error_type", "error_path") if row[name])
    return {
        "id": row["id"],
        "queue": row["queue"],
        "type": row["type"],
        "reason": row["reason"],
        "error": error or None,
        "attempts": row["attempts"],
        "repeats": row["repeats"],
        "state": row["state"],
        "age": _age(row["died_at"]),
    }


def _age(at: datetime) -> str:
    seconds = int((datetime.now(UTC) - at).total_seconds())
    for name, size in (("d", 86_400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size}{name}"
    return f"{max(seconds, 0)}s"
