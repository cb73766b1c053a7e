"""Decisions about dead letters: a plan that is shown, a question, and then exactly that plan or nothing."""

import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import typer

from db.pool import Transaction
from scripts.commands.connecting import actor, connected, run
from scripts.commands.output import say, write_table
from scripts.commands.problems import Code, CommandError
from workers.store import dead_letters

Row = Mapping[str, Any]
Act = Callable[[Transaction, Sequence[Row]], Awaitable[None]]
Judge = Callable[[Row], tuple[str, str]]
"""A letter -> where it would go, and why that may not be (empty when it may)."""


def decide(verb: str, ids: Sequence[int], judge: Judge, act: Act, *, dry_run: bool, yes: bool) -> None:
    """Plan, ask, act: what is done is what was shown, or nothing."""
    wanted = sorted(set(ids))

    async def look() -> list[dict[str, Any]]:
        async with connected() as tx:
            return all_of(wanted, await dead_letters.read(tx, wanted))

    async def work(planned: Sequence[Row]) -> None:
        async with connected() as tx, tx.transaction():
            rows = all_of(wanted, await dead_letters.lock(tx, wanted))
            if [(row["state"], row["repeats"]) for row in rows] != [(row["state"], row["repeats"]) for row in planned]:
                hint = "look again: oms dead-letters list --state any"
                raise CommandError(Code.REFUSED, "the letters changed meanwhile; nothing was done", hint=hint)
            await act(tx, rows)

    rows = run(look())
    _show_plan(verb, rows, judge)
    if dry_run:
        say("dry run: nothing was changed")
        return
    if not yes:
        _ask(f"{verb} {len(rows)} dead letters?")
    run(work(rows))
    done = {"replay": "replayed", "discard": "discarded"}[verb]
    say(f"{done} {len(rows)} dead letters as {actor()}")


def _show_plan(verb: str, rows: Sequence[Row], judge: Judge) -> None:
    """Print what would happen. Raises CommandError when one of them may not be."""
    verdicts = [judge(row) for row in rows]
    columns = [
        summary(row) | {"to": target, "plan": f"refused: {objection}" if objection else verb}
        for row, (target, objection) in zip(rows, verdicts, strict=True)
    ]
    write_table(columns)
    refused = [f"{row['id']} {objection}" for row, (_, objection) in zip(rows, verdicts, strict=True) if objection]
    if refused:
        raise CommandError(
            Code.REFUSED,
            f"{len(refused)} of {len(rows)} cannot be: nothing was done",
            why="; ".join(refused[:5]),
            hint=f"oms dead-letters show {refused[0].split()[0]}",
        )


def _ask(question: str) -> None:
    if not sys.stdin.isatty():
        why = "nobody is there to ask"
        raise CommandError(Code.REFUSED, "nothing was done", why=why, hint="the same with --yes, or with --dry-run")
    if not typer.confirm(question, err=True):
        raise CommandError(Code.REFUSED, "nothing was done", why="you said no")


def all_of(ids: Sequence[int], rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows. Raises CommandError when one of the ids has none."""
    missing = sorted(set(ids) - {row["id"] for row in rows})
    if missing:
        named = ", ".join(map(str, missing[:5]))
        hint = "oms dead-letters list --state any"
        raise CommandError(Code.NOTHING, f"no dead letter {named}", why="nothing was done", hint=hint)
    return rows


def summary(row: Row) -> dict[str, Any]:
    """One line of a list."""
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
